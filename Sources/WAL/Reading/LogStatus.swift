import Base
import Glibc

/// The state of a log at one moment, for people and for programs.
package struct LogStatus: Sendable {
  package struct Consumer: Sendable {
    package let name: ConsumerName
    package let next: Offset
    /// Ticks between it and the head.
    package let lag: Int
    /// Age of the oldest tick it has not shipped; 0 without lag.
    package let oldestUnshippedSeconds: Double
    package let destination: String
    package let isEnabled: Bool
    package let expired: Int
    package let deadLetters: Int
    package let skipped: Int
    /// Batches planned and not confirmed.
    package let openBatches: Int
    /// `nil` if it does not wait for the operator.
    package let hold: Hold?
  }

  package let logID: LogID
  package let head: Offset
  package let oldest: Offset?
  /// Microseconds since 1970, UTC; of the newest tick, which may be trimmed by now.
  package let lastReceivedAt: Int64?
  package let consumers: [Consumer]
  package let openGaps: [Gap]
  /// Gaps that ended, of those kept.
  package let endedGaps: Int
  /// Gaps that were open at some time in the last 24 hours, by cause; only causes that occur.
  package let recentGaps: [Gap.Cause: Int]
  /// Microseconds since 1970, UTC.
  package let readAt: Int64
  /// Input that was no tick, of that kept.
  package let rejectedInput: Int
  /// Bytes of the file and of SQLite's WAL.
  package let fileBytes: Int
  package let walBytes: Int
  /// The process that holds the log open for writing, if any.
  package let writerPID: Int32?
}

extension LogReader {
  /// - Parameter now: microseconds since 1970, UTC.
  package func status(now: Int64 = WallClock.now()) throws -> LogStatus {
    try read { connection in
      let gaps = try gapCounts(connection, since: now - 86_400_000_000)
      let statement = try connection.statement(
        """
        SELECT name, next_offset, coalesce(head - next_offset + 1, 0),
          destination, enabled, expired,
          (SELECT count(*) FROM dead_letters WHERE consumer = name),
          (SELECT coalesce(sum(last_offset - first_offset + 1), 0) FROM skipped WHERE consumer = name),
          (SELECT count(*) FROM batches WHERE consumer = name AND state = 'planned'),
          json_extract(hold.value, '$.since'), json_extract(hold.value, '$.why')
        FROM consumers, (SELECT value AS head FROM meta WHERE key = 'head')
          LEFT JOIN meta AS hold ON hold.key = 'held ' || name AND json_valid(hold.value)
        ORDER BY enabled DESC, name
        """)
      defer { statement.reset() }
      let head = try connection.head()
      var consumers: [LogStatus.Consumer] = []
      while try statement.step() {
        let next = Offset(rawValue: statement.int(1))
        let isEnabled = statement.int(4) != 0
        let since = isEnabled ? try connection.receivedAt(from: next, through: head) : nil
        consumers.append(
          LogStatus.Consumer(
            name: ConsumerName(rawValue: statement.text(0)), next: next, lag: Int(statement.int(2)),
            oldestUnshippedSeconds: since.map { Double(max(0, now - $0) / 1_000) / 1_000 } ?? 0,
            destination: statement.text(3), isEnabled: isEnabled, expired: Int(statement.int(5)),
            deadLetters: Int(statement.int(6)), skipped: Int(statement.int(7)),
            openBatches: Int(statement.int(8)),
            hold: statement.optionalInt(9).map { Hold(since: $0, why: statement.optionalText(10) ?? "") }))
      }
      return LogStatus(
        logID: LogID(
          rawValue: try connection.text("SELECT value FROM meta WHERE key = 'log_id'") ?? "unknown"),
        head: head, oldest: try connection.oldestOffset(),
        lastReceivedAt: try connection.lastReceivedAt(),
        consumers: consumers, openGaps: try connection.openGaps(),
        endedGaps: gaps.ended, recentGaps: gaps.recent, readAt: now,
        rejectedInput: Int(
          try connection.int("SELECT count(*) FROM dead_letters WHERE consumer = 'feed'") ?? 0),
        fileBytes: size(of: path), walBytes: size(of: path + "-wal"), writerPID: LogLock.holder(of: path))
    }
  }

  /// In one walk over the gaps, without their streams.
  private func gapCounts(
    _ connection: SQLiteConnection, since: Int64
  ) throws(SQLiteError) -> (ended: Int, recent: [Gap.Cause: Int]) {
    let statement = try connection.statement(
      """
      SELECT cause, count(ended_at), sum(coalesce(ended_at, ?1) >= ?1) FROM gaps GROUP BY cause
      """)
    try statement.bind([.int(since)])
    defer { statement.reset() }
    var ended = 0
    var recent: [Gap.Cause: Int] = [:]
    while try statement.step() {
      ended += Int(statement.int(1))
      let count = Int(statement.int(2))
      if count > 0, let cause = Gap.Cause(rawValue: statement.text(0)) { recent[cause] = count }
    }
    return (ended, recent)
  }

  private func size(of path: String) -> Int {
    var info = stat()
    return stat(path, &info) == 0 ? Int(info.st_size) : 0
  }
}

extension SQLiteConnection {
  /// When the first tick of a range was received; those on damaged pages are passed over, a few of them one by one.
  fileprivate func receivedAt(from first: Offset, through head: Offset) throws(SQLiteError) -> Int64? {
    var offset = first
    while offset <= head, first.distance(to: offset) < Self.farthest {
      do throws(SQLiteError) {
        return try int(
          "SELECT received_at FROM ticks WHERE offset >= ? ORDER BY offset LIMIT 1", .int(offset.rawValue))
      } catch {
        guard error.isCorruption else { throw error }
        offset = offset.next
      }
    }
    return nil
  }

  /// More than lie below one page of the tree.
  private static let farthest = 20_000
}
