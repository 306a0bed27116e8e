#pragma once

#include <sqlite3.h>

// sqlite3_db_config is variadic, which Swift cannot call.
static inline int csqlite_no_checkpoint_on_close(sqlite3 *db, int isOff) {
  return sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, isOff, (int *)0);
}

// The text and blob destructors are casts of integers, which Swift does not import.
static inline int csqlite_bind_static_text(sqlite3_stmt *statement, int index, const void *bytes, int length) {
  return sqlite3_bind_text(statement, index, bytes, length, SQLITE_STATIC);
}

static inline int csqlite_bind_text(sqlite3_stmt *statement, int index, const void *bytes, int length) {
  return sqlite3_bind_text(statement, index, bytes, length, SQLITE_TRANSIENT);
}

static inline int csqlite_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, int length) {
  return sqlite3_bind_blob(statement, index, bytes, length, SQLITE_TRANSIENT);
}

// errno of the call that failed last on SQLite's WAL, or else on the database's file; 0 if none did. Unlike
// sqlite3_system_errno, which knows only what errno is when the error is noted.
static inline int csqlite_last_errno(sqlite3 *db, int isWAL) {
  sqlite3_file *file = 0;
  int code = 0;
  int which = isWAL ? SQLITE_FCNTL_JOURNAL_POINTER : SQLITE_FCNTL_FILE_POINTER;
  if (sqlite3_file_control(db, "main", which, &file) != SQLITE_OK || !file || !file->pMethods) return 0;
  file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &code);
  return code;
}
