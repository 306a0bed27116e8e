#pragma once

#include <stdbool.h>

// A SQLite VFS over the system's that counts writes and syncs, and makes chosen ones fail.

typedef struct ctestvfs ctestvfs;

typedef enum ctestvfs_file {
  CTESTVFS_DATABASE = 0,
  CTESTVFS_WAL = 1,
} ctestvfs_file;

typedef enum ctestvfs_operation {
  CTESTVFS_WRITE = 0,
  CTESTVFS_SYNC = 1,
} ctestvfs_operation;

/// Registers a VFS under a name of its own; NULL if that failed.
ctestvfs *ctestvfs_register(const char *name);

/// Every file opened through it must be closed by now.
void ctestvfs_unregister(ctestvfs *vfs);

/// How many calls were made so far, failed ones included.
long ctestvfs_count(ctestvfs *vfs, ctestvfs_file file, ctestvfs_operation operation);

/// How many calls were made to fail so far.
long ctestvfs_failures(ctestvfs *vfs, ctestvfs_file file, ctestvfs_operation operation);

/// Whether every write so far was followed by a sync that succeeded.
bool ctestvfs_is_synced(ctestvfs *vfs, ctestvfs_file file);

/// Lets the calls from the `first`th from now on (1 is the next) fail, `times` of them, with this errno.
void ctestvfs_fail(
    ctestvfs *vfs, ctestvfs_file file, ctestvfs_operation operation, long first, long times, int error);
