// The plainest loop that appends to a log: tickwal's table, synchronous=FULL, one prepared insert.
//
// append FILE DATABASE ROWS_A_COMMIT [ROWS [ROWS_A_SECOND]]
#include <sqlite3.h>

#include "common.h"

static sqlite3 *database;

static void run(const char *sql) {
  char *why = NULL;
  if (sqlite3_exec(database, sql, NULL, NULL, &why) != SQLITE_OK) fail(sql, why ? why : "failed");
}

int main(int count, char **arguments) {
  if (count < 4) fail("append", "FILE DATABASE ROWS_A_COMMIT [ROWS [ROWS_A_SECOND]]");
  size_t lines, group = strtoul(arguments[3], NULL, 10);
  Line *all = read_lines(arguments[1], &lines);
  if (count > 4 && strtoul(arguments[4], NULL, 10) < lines) lines = strtoul(arguments[4], NULL, 10);
  double rate = count > 5 ? strtod(arguments[5], NULL) : 0;
  if (sqlite3_open(arguments[2], &database) != SQLITE_OK) fail(arguments[2], "cannot be opened");
  run("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=0;"
      "PRAGMA wal_autocheckpoint=4096;"
      "CREATE TABLE ticks(offset INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, event_time INTEGER,"
      "  stream TEXT NOT NULL, payload TEXT NOT NULL, checksum INTEGER NOT NULL)");
  sqlite3_stmt *insert;
  if (sqlite3_prepare_v3(database,
                         "INSERT INTO ticks(offset, received_at, event_time, stream, payload, checksum)"
                         " VALUES (?, ?, ?, ?, ?, ?)",
                         -1, SQLITE_PREPARE_PERSISTENT, &insert, NULL) != SQLITE_OK)
    fail("prepare", sqlite3_errmsg(database));

  start_watch();
  for (size_t next = 0; next < lines;) {
    keep_pace(next, rate);
    run("BEGIN IMMEDIATE");
    for (size_t end = next + group < lines ? next + group : lines; next < end; next++) {
      // {"stream":"btcusdt@miniTicker","data":{...}}
      char *stream = all[next].start + strlen("{\"stream\":\"");
      char *stream_end = strchr(stream, '"');
      char *payload = stream_end + strlen("\",\"data\":");
      sqlite3_bind_int64(insert, 1, (sqlite3_int64)next + 1);
      sqlite3_bind_int64(insert, 2, 1700000000000000 + (sqlite3_int64)next);
      sqlite3_bind_int64(insert, 3, 1700000000000 + (sqlite3_int64)next);
      sqlite3_bind_text(insert, 4, stream, (int)(stream_end - stream), SQLITE_STATIC);
      sqlite3_bind_text(insert, 5, payload, (int)(all[next].start + all[next].length - 1 - payload), SQLITE_STATIC);
      sqlite3_bind_int64(insert, 6, 0x9abcdef0 ^ (sqlite3_int64)next);
      if (sqlite3_step(insert) != SQLITE_DONE) fail("insert", sqlite3_errmsg(database));
      sqlite3_reset(insert);
    }
    run("COMMIT");
  }
  print_watch(lines);
  sqlite3_finalize(insert);
  sqlite3_close(database);
  return 0;
}
