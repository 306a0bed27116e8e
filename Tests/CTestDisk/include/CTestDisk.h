#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Stands between this process and the system for the files in chosen folders: every call on them is shown
// before and after it is made, and can be made to fail. It defines libc's functions anew, so that it sees
// SQLite's calls and the program's own alike; calls on other files pass through.

typedef enum ctestdisk_kind {
  CTESTDISK_OPEN,
  CTESTDISK_READ,
  CTESTDISK_WRITE,
  CTESTDISK_TRUNCATE,
  CTESTDISK_SYNC,
  CTESTDISK_UNLINK,
  CTESTDISK_RENAME,
  CTESTDISK_LINK,
  CTESTDISK_LOCK,
  CTESTDISK_STAT,
  CTESTDISK_MAP,
  CTESTDISK_CLOSE,
} ctestdisk_kind;

typedef struct ctestdisk_call {
  ctestdisk_kind kind;
  /// Of an open: what it returned, after it.
  int fd;
  /// NULL for calls on a descriptor.
  const char *path;
  /// Of a rename or link.
  const char *newPath;
  /// Of a write.
  const void *bytes;
  size_t count;
  /// Of a write; of a truncate the new size, or the least size if `isGrowing`.
  off_t offset;
  bool isGrowing;
  /// Of an open: the flags.
  int flags;
  /// Of an open: whether there was no such file before.
  bool isNew;
} ctestdisk_call;

/// Answers of `before` other than an errno.
enum {
  CTESTDISK_PROCEED = 0,
  /// Writes half of the bytes, at least one.
  CTESTDISK_SHORT = -1,
  /// Returns success without making the call.
  CTESTDISK_PRETEND = -2,
};

typedef struct ctestdisk ctestdisk;

/// What is shown the calls. Must not itself work on the folder.
typedef struct ctestdisk_handler {
  void *context;
  /// Returns the errno that the call is to fail with, or one of the answers above.
  int (*before)(void *context, const ctestdisk_call *call);
  /// Only after calls that succeeded; `result` is what they returned.
  void (*after)(void *context, const ctestdisk_call *call, long result);
} ctestdisk_handler;

/// Starts to show the calls on a folder (an absolute path without links) and what is in it; NULL if there
/// is no place for another one.
ctestdisk *ctestdisk_add(const char *folder, ctestdisk_handler handler);

/// Every file opened in the folder must be closed by now.
void ctestdisk_remove(ctestdisk *disk);
