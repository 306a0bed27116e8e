import Base
import CSQLite
import Foundation
import Logging
import WAL

// callers [CALLERS [SECONDS]]: ticks a second that so many callers make durable, one each at a time.
let arguments = CommandLine.arguments.dropFirst().map { Int($0) }
let callers = arguments.first.flatMap { $0 } ?? 64
let seconds = arguments.dropFirst().first.flatMap { $0 } ?? 5
let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tickwal-callers-\(getpid())")
let stream = "btcusdt@miniTicker"
let payload = """
  {"e":"24hrMiniTicker","E":1700000000000,"s":"BTCUSDT","c":"19182.10000000","o":"19478.02000000",\
  "h":"19951.87000000","l":"19100.01000000","v":"187634.34710000","q":"3662532961.53490210"}
  """

try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
defer { try? FileManager.default.removeItem(at: folder) }

let alone = plainLoop(folder.appendingPathComponent("plain.db").path)
let (ticks, worst) = try await shared(folder.appendingPathComponent("log.db").path)
print("plain loop, one row a commit: \(alone) a second")
print(
  "\(callers) callers, one tick each at a time: \(ticks) a second, \(Double(ticks * 10 / alone) / 10) times as many"
)
print("the longest wait of one: \(worst / .milliseconds(1)) ms")

/// - Returns: commits a second.
func plainLoop(_ path: String) -> Int {
  var database: OpaquePointer?
  var insert: OpaquePointer?
  precondition(sqlite3_open(path, &database) == SQLITE_OK)
  defer {
    sqlite3_finalize(insert)
    sqlite3_close(database)
  }
  let schema = """
    PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=0;
    PRAGMA wal_autocheckpoint=4096;
    CREATE TABLE ticks(offset INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, event_time INTEGER,
      stream TEXT NOT NULL, payload TEXT NOT NULL, checksum INTEGER NOT NULL)
    """
  precondition(sqlite3_exec(database, schema, nil, nil, nil) == SQLITE_OK)
  let sql = "INSERT INTO ticks(received_at, event_time, stream, payload, checksum) VALUES (?, ?, ?, ?, ?)"
  precondition(sqlite3_prepare_v2(database, sql, -1, &insert, nil) == SQLITE_OK)
  let start = ContinuousClock.now
  var rows = 0
  while ContinuousClock.now - start < .seconds(seconds) {
    sqlite3_bind_int64(insert, 1, 1_700_000_000_000_000 + Int64(rows))
    sqlite3_bind_int64(insert, 2, 1_700_000_000_000 + Int64(rows))
    sqlite3_bind_text(insert, 3, stream, -1, nil)
    sqlite3_bind_text(insert, 4, payload, -1, nil)
    sqlite3_bind_int64(insert, 5, 0x9ABC_DEF0)
    precondition(sqlite3_step(insert) == SQLITE_DONE)
    sqlite3_reset(insert)
    rows += 1
  }
  return rows / seconds
}

/// - Returns: ticks a second, and how long one of them took at most.
func shared(_ path: String) async throws -> (Int, Duration) {
  var options = TickLog.Options()
  // Whoever waits for its own tick does not want to wait for others; those that come during a commit share the next.
  options.linger = .zero
  let log = try await TickLog.open(path: path, options: options, logger: Logger(label: "callers"))
  let start = ContinuousClock.now
  let (count, worst) = try await withThrowingTaskGroup(of: (Int, Duration).self) { group in
    for _ in 0..<callers {
      group.addTask {
        var (count, worst) = (0, Duration.zero)
        while ContinuousClock.now - start < .seconds(seconds) {
          let began = ContinuousClock.now
          var batch = TickBatch()
          batch.append(
            receivedAt: WallClock.now(), eventTime: 1_700_000_000_000, stream: stream, payload: payload)
          _ = try await log.append(batch)
          count += 1
          worst = max(worst, ContinuousClock.now - began)
        }
        return (count, worst)
      }
    }
    return try await group.reduce((0, .zero)) { ($0.0 + $1.0, max($0.1, $1.1)) }
  }
  try await log.close()
  return (count / seconds, worst)
}
