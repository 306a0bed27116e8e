#include "CTestVFS.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct counter {
  atomic_long calls;
  atomic_long failures;
  // Calls with these numbers fail.
  atomic_long failFrom;
  atomic_long failBelow;
  atomic_int error;
  // Of writes: whether some were not synced yet.
  atomic_bool isDirty;
} counter;

struct ctestvfs {
  sqlite3_vfs base;
  sqlite3_vfs *real;
  counter counters[2][2];
  atomic_int lastError;
  char name[64];
};

typedef struct file {
  sqlite3_file base;
  ctestvfs *vfs;
  // NULL for files that are passed through.
  counter *counters;
  sqlite3_file *real;
} file;

static sqlite3_file *real(sqlite3_file *f) { return ((file *)f)->real; }

// Whether this call is to fail.
static bool step(file *f, ctestvfs_operation operation) {
  if (!f->counters) return false;
  counter *c = &f->counters[operation];
  long number = atomic_fetch_add(&c->calls, 1) + 1;
  if (number < atomic_load(&c->failFrom) || number >= atomic_load(&c->failBelow)) return false;
  atomic_fetch_add(&c->failures, 1);
  atomic_store(&f->vfs->lastError, atomic_load(&c->error));
  return true;
}

static int noteError(file *f, int code) {
  if (code != SQLITE_OK) atomic_store(&f->vfs->lastError, errno);
  return code;
}

static int fileClose(sqlite3_file *f) {
  int code = real(f)->pMethods->xClose(real(f));
  sqlite3_free(real(f));
  return code;
}

static int fileRead(sqlite3_file *f, void *bytes, int count, sqlite3_int64 position) {
  return noteError((file *)f, real(f)->pMethods->xRead(real(f), bytes, count, position));
}

static int fileWrite(sqlite3_file *f, const void *bytes, int count, sqlite3_int64 position) {
  if (step((file *)f, CTESTVFS_WRITE)) {
    // As SQLite's own VFS answers.
    return atomic_load(&((file *)f)->vfs->lastError) == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
  }
  if (((file *)f)->counters) atomic_store(&((file *)f)->counters[CTESTVFS_WRITE].isDirty, true);
  return noteError((file *)f, real(f)->pMethods->xWrite(real(f), bytes, count, position));
}

static int fileTruncate(sqlite3_file *f, sqlite3_int64 size) {
  return noteError((file *)f, real(f)->pMethods->xTruncate(real(f), size));
}

static int fileSync(sqlite3_file *f, int flags) {
  if (step((file *)f, CTESTVFS_SYNC)) return SQLITE_IOERR_FSYNC;
  int code = noteError((file *)f, real(f)->pMethods->xSync(real(f), flags));
  if (code == SQLITE_OK && ((file *)f)->counters) {
    atomic_store(&((file *)f)->counters[CTESTVFS_WRITE].isDirty, false);
  }
  return code;
}

static int fileSize(sqlite3_file *f, sqlite3_int64 *size) {
  return real(f)->pMethods->xFileSize(real(f), size);
}

static int fileLock(sqlite3_file *f, int level) { return real(f)->pMethods->xLock(real(f), level); }

static int fileUnlock(sqlite3_file *f, int level) { return real(f)->pMethods->xUnlock(real(f), level); }

static int fileCheckReservedLock(sqlite3_file *f, int *isReserved) {
  return real(f)->pMethods->xCheckReservedLock(real(f), isReserved);
}

static int fileControl(sqlite3_file *f, int operation, void *argument) {
  return real(f)->pMethods->xFileControl(real(f), operation, argument);
}

static int fileSectorSize(sqlite3_file *f) { return real(f)->pMethods->xSectorSize(real(f)); }

static int fileCharacteristics(sqlite3_file *f) {
  return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int fileShmMap(sqlite3_file *f, int page, int size, int extend, void volatile **memory) {
  return noteError((file *)f, real(f)->pMethods->xShmMap(real(f), page, size, extend, memory));
}

static int fileShmLock(sqlite3_file *f, int offset, int count, int flags) {
  return real(f)->pMethods->xShmLock(real(f), offset, count, flags);
}

static void fileShmBarrier(sqlite3_file *f) { real(f)->pMethods->xShmBarrier(real(f)); }

static int fileShmUnmap(sqlite3_file *f, int isDeleting) {
  return real(f)->pMethods->xShmUnmap(real(f), isDeleting);
}

// Version 2: shared memory for the WAL's index, no memory-mapped reading.
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = fileClose,
    .xRead = fileRead,
    .xWrite = fileWrite,
    .xTruncate = fileTruncate,
    .xSync = fileSync,
    .xFileSize = fileSize,
    .xLock = fileLock,
    .xUnlock = fileUnlock,
    .xCheckReservedLock = fileCheckReservedLock,
    .xFileControl = fileControl,
    .xSectorSize = fileSectorSize,
    .xDeviceCharacteristics = fileCharacteristics,
    .xShmMap = fileShmMap,
    .xShmLock = fileShmLock,
    .xShmBarrier = fileShmBarrier,
    .xShmUnmap = fileShmUnmap,
};

static sqlite3_vfs *realVFS(sqlite3_vfs *v) { return ((ctestvfs *)v)->real; }

static int vfsOpen(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *outFlags) {
  file *opened = (file *)f;
  ctestvfs *vfs = (ctestvfs *)v;
  opened->base.pMethods = NULL;
  opened->vfs = vfs;
  opened->counters = NULL;
  if (flags & SQLITE_OPEN_MAIN_DB) opened->counters = vfs->counters[CTESTVFS_DATABASE];
  if (flags & SQLITE_OPEN_WAL) opened->counters = vfs->counters[CTESTVFS_WAL];
  opened->real = sqlite3_malloc(vfs->real->szOsFile);
  if (!opened->real) return SQLITE_NOMEM;
  memset(opened->real, 0, (size_t)vfs->real->szOsFile);
  int code = vfs->real->xOpen(vfs->real, name, opened->real, flags, outFlags);
  if (code != SQLITE_OK) {
    noteError(opened, code);
    sqlite3_free(opened->real);
    return code;
  }
  opened->base.pMethods = &methods;
  return SQLITE_OK;
}

static int vfsDelete(sqlite3_vfs *v, const char *name, int syncFolder) {
  return realVFS(v)->xDelete(realVFS(v), name, syncFolder);
}

static int vfsAccess(sqlite3_vfs *v, const char *name, int flags, int *result) {
  return realVFS(v)->xAccess(realVFS(v), name, flags, result);
}

static int vfsFullPathname(sqlite3_vfs *v, const char *name, int size, char *result) {
  return realVFS(v)->xFullPathname(realVFS(v), name, size, result);
}

static int vfsRandomness(sqlite3_vfs *v, int count, char *bytes) {
  return realVFS(v)->xRandomness(realVFS(v), count, bytes);
}

static int vfsSleep(sqlite3_vfs *v, int microseconds) {
  return realVFS(v)->xSleep(realVFS(v), microseconds);
}

static int vfsCurrentTime(sqlite3_vfs *v, double *time) {
  return realVFS(v)->xCurrentTime(realVFS(v), time);
}

static int vfsCurrentTimeInt64(sqlite3_vfs *v, sqlite3_int64 *time) {
  return realVFS(v)->xCurrentTimeInt64(realVFS(v), time);
}

static int vfsGetLastError(sqlite3_vfs *v, int size, char *text) {
  return atomic_load(&((ctestvfs *)v)->lastError);
}

ctestvfs *ctestvfs_register(const char *name) {
  sqlite3_vfs *system = sqlite3_vfs_find(NULL);
  ctestvfs *vfs = calloc(1, sizeof *vfs);
  if (!system || !vfs || strlen(name) >= sizeof vfs->name) {
    free(vfs);
    return NULL;
  }
  strcpy(vfs->name, name);
  vfs->real = system;
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) atomic_store(&vfs->counters[i][j].failFrom, LONG_MAX);
  vfs->base = (sqlite3_vfs){
      .iVersion = 2,
      .szOsFile = sizeof(file),
      .mxPathname = system->mxPathname,
      .zName = vfs->name,
      .xOpen = vfsOpen,
      .xDelete = vfsDelete,
      .xAccess = vfsAccess,
      .xFullPathname = vfsFullPathname,
      .xRandomness = vfsRandomness,
      .xSleep = vfsSleep,
      .xCurrentTime = vfsCurrentTime,
      .xCurrentTimeInt64 = vfsCurrentTimeInt64,
      .xGetLastError = vfsGetLastError,
  };
  if (sqlite3_vfs_register(&vfs->base, 0) != SQLITE_OK) {
    free(vfs);
    return NULL;
  }
  return vfs;
}

void ctestvfs_unregister(ctestvfs *vfs) {
  sqlite3_vfs_unregister(&vfs->base);
  free(vfs);
}

static counter *counterOf(ctestvfs *vfs, ctestvfs_file file, ctestvfs_operation operation) {
  return &vfs->counters[file][operation];
}

long ctestvfs_count(ctestvfs *vfs, ctestvfs_file file, ctestvfs_operation operation) {
  return atomic_load(&counterOf(vfs, file, operation)->calls);
}

long ctestvfs_failures(ctestvfs *vfs, ctestvfs_file file, ctestvfs_operation operation) {
  return atomic_load(&counterOf(vfs, file, operation)->failures);
}

void ctestvfs_fail(
    ctestvfs *vfs, ctestvfs_file file, ctestvfs_operation operation, long first, long times, int error) {
  counter *c = counterOf(vfs, file, operation);
  long from = atomic_load(&c->calls) + first;
  atomic_store(&c->failFrom, LONG_MAX);
  atomic_store(&c->error, error);
  atomic_store(&c->failBelow, times > LONG_MAX - from ? LONG_MAX : from + times);
  atomic_store(&c->failFrom, from);
}

bool ctestvfs_is_synced(ctestvfs *vfs, ctestvfs_file file) {
  return !atomic_load(&counterOf(vfs, file, CTESTVFS_WRITE)->isDirty);
}
