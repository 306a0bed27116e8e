import Base
import ShippingFixtures

@testable import WAL

/// What a log says at one moment.
struct LogSnapshot: Sendable {
  struct Plan: Equatable, Sendable {
    var consumer: ConsumerName
    var range: ClosedRange<Int64>
    var key: String
    /// Every one ever planned.
    var hashes: Set<String>
    var isShipped: Bool
  }

  struct Reader: Equatable, Sendable {
    var next: Int64
    var isEnabled: Bool
    var expired: Int
  }

  var head: Int64 = 0
  var trimmed: Int64 = 0
  /// Payloads by offset; behind the line, too, as far as they are there.
  var rows: [Int64: String] = [:]
  var consumers: [ConsumerName: Reader] = [:]
  /// In order.
  var plans: [Plan] = []
  var skipped: [ConsumerName: [ClosedRange<Int64>]] = [:]
  var letters: [ConsumerName: [Int64]] = [:]

  func skips(_ offset: Int64, of consumer: ConsumerName) -> Bool {
    skipped[consumer]?.contains { $0.contains(offset) } ?? false
  }

  /// The batch of s3 that holds an offset.
  func plan(holding offset: Int64) -> Plan? { plans.first { $0.range.contains(offset) } }
}

extension LogReader {
  func snapshot() throws -> LogSnapshot {
    try read { connection in
      var snapshot = LogSnapshot()
      snapshot.head = try connection.head().rawValue
      snapshot.trimmed = try connection.trimmed().rawValue
      for consumer in try connection.consumers() {
        snapshot.consumers[consumer.name] = LogSnapshot.Reader(
          next: consumer.next.rawValue, isEnabled: consumer.isEnabled, expired: consumer.expired)
      }
      func each(_ sql: String, _ body: (SQLiteStatement) -> Void) throws {
        let statement = try connection.statement(sql)
        defer { statement.reset() }
        while try statement.step() { body(statement) }
      }
      try each("SELECT offset, payload FROM ticks ORDER BY offset") { snapshot.rows[$0.int(0)] = $0.text(1) }
      try each(
        """
        SELECT consumer, first_offset, last_offset, key, sha256, earlier_sha256, state FROM batches
        ORDER BY consumer, first_offset
        """
      ) { row in
        let earlier = row.text(5).split { !$0.isHexDigit }.map(String.init)
        snapshot.plans.append(
          LogSnapshot.Plan(
            consumer: ConsumerName(rawValue: row.text(0)), range: row.int(1)...row.int(2), key: row.text(3),
            hashes: Set(earlier + [row.text(4)]), isShipped: row.text(6) == "shipped"))
      }
      try each("SELECT consumer, first_offset, last_offset FROM skipped WHERE first_offset <= last_offset") {
        snapshot.skipped[ConsumerName(rawValue: $0.text(0)), default: []].append($0.int(1)...$0.int(2))
      }
      try each("SELECT consumer, offset FROM dead_letters WHERE offset IS NOT NULL ORDER BY id") {
        snapshot.letters[ConsumerName(rawValue: $0.text(0)), default: []].append($0.int(1))
      }
      return snapshot
    }
  }
}
