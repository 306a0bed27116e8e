#define _GNU_SOURCE
#include "CTestDisk.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { maximumDisks = 512, maximumDescriptors = 1 << 16 };

struct ctestdisk {
  char *folder;
  size_t length;
  ctestdisk_handler handler;
};

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static ctestdisk *disks[maximumDisks];
static atomic_int diskCount;
static _Atomic(ctestdisk *) owners[maximumDescriptors];

// The system's function behind the one of the same name here.
#define REAL(name)                                                            \
  ({                                                                          \
    static _Atomic(void *) known;                                             \
    void *found = atomic_load_explicit(&known, memory_order_relaxed);         \
    if (!found) {                                                             \
      found = dlsym(RTLD_NEXT, #name);                                        \
      atomic_store_explicit(&known, found, memory_order_relaxed);             \
    }                                                                         \
    (__typeof__(&name))found;                                                 \
  })

static ctestdisk *diskOfPath(const char *path) {
  if (!path || atomic_load(&diskCount) == 0) return NULL;
  ctestdisk *found = NULL;
  pthread_rwlock_rdlock(&lock);
  for (int i = 0; i < maximumDisks && !found; i++) {
    ctestdisk *disk = disks[i];
    if (!disk || strncmp(path, disk->folder, disk->length) != 0) continue;
    if (path[disk->length] == '/' || path[disk->length] == 0) found = disk;
  }
  pthread_rwlock_unlock(&lock);
  return found;
}

static ctestdisk *diskOf(int fd) {
  if (fd < 0 || fd >= maximumDescriptors) return NULL;
  return atomic_load_explicit(&owners[fd], memory_order_acquire);
}

static int before(ctestdisk *disk, const ctestdisk_call *call) {
  return disk->handler.before(disk->handler.context, call);
}

static void after(ctestdisk *disk, const ctestdisk_call *call, long result) {
  if (result < 0) return;
  int code = errno;
  disk->handler.after(disk->handler.context, call, result);
  errno = code;
}

// Shows the call and makes it; `call` must be the call's description.
#define SHOWN(disk, call, make)                                               \
  ({                                                                          \
    int answer = before(disk, &(call));                                       \
    long result;                                                              \
    if (answer > 0) {                                                         \
      errno = answer;                                                         \
      result = -1;                                                            \
    } else {                                                                  \
      result = answer == CTESTDISK_PRETEND ? 0 : (long)(make);                \
      after(disk, &(call), result);                                           \
    }                                                                         \
    result;                                                                   \
  })

ctestdisk *ctestdisk_add(const char *folder, ctestdisk_handler handler) {
  ctestdisk *disk = calloc(1, sizeof *disk);
  if (!disk) return NULL;
  disk->folder = strdup(folder);
  disk->length = strlen(folder);
  disk->handler = handler;
  bool isAdded = false;
  pthread_rwlock_wrlock(&lock);
  for (int i = 0; i < maximumDisks && !isAdded; i++) {
    if (disks[i]) continue;
    disks[i] = disk;
    isAdded = true;
    atomic_fetch_add(&diskCount, 1);
  }
  pthread_rwlock_unlock(&lock);
  if (isAdded) return disk;
  free(disk->folder);
  free(disk);
  return NULL;
}

void ctestdisk_remove(ctestdisk *disk) {
  pthread_rwlock_wrlock(&lock);
  for (int i = 0; i < maximumDisks; i++) {
    if (disks[i] != disk) continue;
    disks[i] = NULL;
    atomic_fetch_sub(&diskCount, 1);
  }
  pthread_rwlock_unlock(&lock);
  for (int i = 0; i < maximumDescriptors; i++) {
    ctestdisk *owner = disk;
    atomic_compare_exchange_strong(&owners[i], &owner, NULL);
  }
  free(disk->folder);
  free(disk);
}

// Opening and closing

static int openFile(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
  ctestdisk *disk = diskOfPath(path);
  if (!disk) return real(path, flags, mode);
  ctestdisk_call call = {.kind = CTESTDISK_OPEN, .path = path, .flags = flags, .fd = -1};
  call.isNew = (flags & O_CREAT) && REAL(access)(path, F_OK) != 0;
  int answer = before(disk, &call);
  if (answer > 0) {
    errno = answer;
    return -1;
  }
  int fd = real(path, flags, mode);
  if (fd < 0) return fd;
  if (fd < maximumDescriptors) atomic_store(&owners[fd], disk);
  call.fd = fd;
  after(disk, &call, fd);
  return fd;
}

#define MODE                                                                  \
  mode_t mode = 0;                                                            \
  if (flags & (O_CREAT | O_TMPFILE)) {                                        \
    va_list arguments;                                                        \
    va_start(arguments, flags);                                               \
    mode = va_arg(arguments, mode_t);                                         \
    va_end(arguments);                                                        \
  }

int open(const char *path, int flags, ...) {
  MODE
  return openFile(REAL(open), path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  MODE
  return openFile(REAL(open64), path, flags, mode);
}

int close(int fd) {
  ctestdisk *disk = diskOf(fd);
  if (!disk) return REAL(close)(fd);
  ctestdisk_call call = {.kind = CTESTDISK_CLOSE, .fd = fd};
  // Before it is closed: the number may be given to another file at once.
  atomic_store(&owners[fd], NULL);
  after(disk, &call, 0);
  return REAL(close)(fd);
}

// Reading and writing

#define READS(name, type)                                                     \
  ssize_t name(int fd, void *bytes, size_t count, type offset) {              \
    ctestdisk *disk = diskOf(fd);                                             \
    if (!disk) return REAL(name)(fd, bytes, count, offset);                   \
    ctestdisk_call call = {.kind = CTESTDISK_READ, .fd = fd};                 \
    return SHOWN(disk, call, REAL(name)(fd, bytes, count, offset));           \
  }

READS(pread, off_t)
READS(pread64, off64_t)

#define WRITES(name, type)                                                    \
  ssize_t name(int fd, const void *bytes, size_t count, type offset) {        \
    ctestdisk *disk = diskOf(fd);                                             \
    if (!disk) return REAL(name)(fd, bytes, count, offset);                   \
    ctestdisk_call call = {                                                   \
        .kind = CTESTDISK_WRITE, .fd = fd, .bytes = bytes, .count = count,    \
        .offset = offset};                                                    \
    int answer = before(disk, &call);                                         \
    if (answer > 0) {                                                         \
      errno = answer;                                                         \
      return -1;                                                              \
    }                                                                         \
    if (answer == CTESTDISK_SHORT && count > 1) count /= 2;                   \
    ssize_t result = REAL(name)(fd, bytes, count, offset);                    \
    after(disk, &call, result);                                               \
    return result;                                                            \
  }

WRITES(pwrite, off_t)
WRITES(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t count) {
  ctestdisk *disk = diskOf(fd);
  if (!disk) return REAL(write)(fd, bytes, count);
  ctestdisk_call call = {.kind = CTESTDISK_WRITE, .fd = fd, .bytes = bytes, .count = count};
  call.offset = lseek(fd, 0, SEEK_CUR);
  int answer = before(disk, &call);
  if (answer > 0) {
    errno = answer;
    return -1;
  }
  if (answer == CTESTDISK_SHORT && count > 1) count /= 2;
  ssize_t result = REAL(write)(fd, bytes, count);
  after(disk, &call, result);
  return result;
}

#define TRUNCATES(name, type)                                                 \
  int name(int fd, type size) {                                               \
    ctestdisk *disk = diskOf(fd);                                             \
    if (!disk) return REAL(name)(fd, size);                                   \
    ctestdisk_call call = {.kind = CTESTDISK_TRUNCATE, .fd = fd, .offset = size}; \
    return (int)SHOWN(disk, call, REAL(name)(fd, size));                      \
  }

TRUNCATES(ftruncate, off_t)
TRUNCATES(ftruncate64, off64_t)

int fallocate(int fd, int mode, off_t offset, off_t count) {
  ctestdisk *disk = diskOf(fd);
  if (!disk) return REAL(fallocate)(fd, mode, offset, count);
  ctestdisk_call call = {
      .kind = CTESTDISK_TRUNCATE, .fd = fd, .offset = offset + count, .isGrowing = true};
  return (int)SHOWN(disk, call, REAL(fallocate)(fd, mode, offset, count));
}

int posix_fallocate(int fd, off_t offset, off_t count) {
  ctestdisk *disk = diskOf(fd);
  if (!disk) return REAL(posix_fallocate)(fd, offset, count);
  ctestdisk_call call = {
      .kind = CTESTDISK_TRUNCATE, .fd = fd, .offset = offset + count, .isGrowing = true};
  // It returns the error instead of setting it.
  int answer = before(disk, &call);
  if (answer > 0) return answer;
  int code = REAL(posix_fallocate)(fd, offset, count);
  after(disk, &call, -code);
  return code;
}

#define SYNCS(name)                                                           \
  int name(int fd) {                                                          \
    ctestdisk *disk = diskOf(fd);                                             \
    if (!disk) return REAL(name)(fd);                                         \
    ctestdisk_call call = {.kind = CTESTDISK_SYNC, .fd = fd};                 \
    return (int)SHOWN(disk, call, REAL(name)(fd));                            \
  }

SYNCS(fsync)
SYNCS(fdatasync)

// Names

int unlink(const char *path) {
  ctestdisk *disk = diskOfPath(path);
  if (!disk) return REAL(unlink)(path);
  ctestdisk_call call = {.kind = CTESTDISK_UNLINK, .path = path, .fd = -1};
  return (int)SHOWN(disk, call, REAL(unlink)(path));
}

#define NAMES(name, kindOf)                                                   \
  int name(const char *path, const char *newPath) {                           \
    ctestdisk *disk = diskOfPath(path);                                       \
    if (!disk) return REAL(name)(path, newPath);                              \
    ctestdisk_call call = {.kind = kindOf, .path = path, .newPath = newPath, .fd = -1}; \
    return (int)SHOWN(disk, call, REAL(name)(path, newPath));                 \
  }

NAMES(rename, CTESTDISK_RENAME)
NAMES(link, CTESTDISK_LINK)

#define LOOKS(name, type)                                                     \
  int name(const char *restrict path, type *restrict result_) {               \
    ctestdisk *disk = diskOfPath(path);                                       \
    if (!disk) return REAL(name)(path, result_);                              \
    ctestdisk_call call = {.kind = CTESTDISK_STAT, .path = path, .fd = -1};   \
    return (int)SHOWN(disk, call, REAL(name)(path, result_));                 \
  }

LOOKS(stat, struct stat)
LOOKS(stat64, struct stat64)
LOOKS(lstat, struct stat)
LOOKS(lstat64, struct stat64)

#define LOOKS_AT_OPEN(name, type)                                             \
  int name(int fd, type *result_) {                                           \
    ctestdisk *disk = diskOf(fd);                                             \
    if (!disk) return REAL(name)(fd, result_);                                \
    ctestdisk_call call = {.kind = CTESTDISK_STAT, .fd = fd};                 \
    return (int)SHOWN(disk, call, REAL(name)(fd, result_));                   \
  }

LOOKS_AT_OPEN(fstat, struct stat)
LOOKS_AT_OPEN(fstat64, struct stat64)

// Locks and memory

#define CONTROLS(name)                                                        \
  int name(int fd, int command, ...) {                                        \
    va_list arguments;                                                        \
    va_start(arguments, command);                                             \
    void *argument = va_arg(arguments, void *);                               \
    va_end(arguments);                                                        \
    ctestdisk *disk = diskOf(fd);                                             \
    if (!disk || (command != F_SETLK && command != F_SETLKW))                 \
      return REAL(name)(fd, command, argument);                               \
    /* Giving a lock up does not fail. */                                     \
    if (((struct flock *)argument)->l_type == F_UNLCK)                        \
      return REAL(name)(fd, command, argument);                               \
    ctestdisk_call call = {.kind = CTESTDISK_LOCK, .fd = fd};                 \
    return (int)SHOWN(disk, call, REAL(name)(fd, command, argument));         \
  }

CONTROLS(fcntl)
CONTROLS(fcntl64)

int flock(int fd, int operation) {
  ctestdisk *disk = diskOf(fd);
  if (!disk || operation == LOCK_UN) return REAL(flock)(fd, operation);
  ctestdisk_call call = {.kind = CTESTDISK_LOCK, .fd = fd};
  return (int)SHOWN(disk, call, REAL(flock)(fd, operation));
}

#define MAPS(name, type)                                                      \
  void *name(void *address, size_t length, int protection, int flags, int fd, type offset) { \
    ctestdisk *disk = diskOf(fd);                                             \
    if (!disk) return REAL(name)(address, length, protection, flags, fd, offset); \
    ctestdisk_call call = {.kind = CTESTDISK_MAP, .fd = fd};                  \
    int answer = before(disk, &call);                                         \
    if (answer > 0) {                                                         \
      errno = answer;                                                         \
      return MAP_FAILED;                                                      \
    }                                                                         \
    return REAL(name)(address, length, protection, flags, fd, offset);        \
  }

MAPS(mmap, off_t)
MAPS(mmap64, off64_t)
