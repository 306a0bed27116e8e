import Base
import Logging

/// A consumer that a start wants, and where it is to deliver.
package struct ConsumerRequest: Sendable, Equatable {
  package let name: ConsumerName
  /// As JSON; compared byte for byte with the stored one.
  package let destination: String

  package init(name: ConsumerName, destination: String) {
    self.name = name
    self.destination = destination
  }
}

extension TickLog {
  /// Enables the consumers of this start and no others; durable when it returns.
  ///
  /// A new consumer starts at the oldest tick kept. One that is behind it goes on there, and the range it
  /// missed is recorded as skipped and logged.
  ///
  /// - Parameter acceptDestinations: store changed destinations instead of refusing them.
  /// - Throws: `LogError` with `destinationChanged` naming both, and then nothing was changed.
  package func enable(
    _ requests: [ConsumerRequest], acceptDestinations: Bool, logger: Logger
  ) async throws -> [Consumer] {
    let (consumers, skipped) = try await write { transaction in
      try transaction.enable(requests, acceptDestinations: acceptDestinations)
    }
    for (name, range) in skipped {
      logger.warning(
        "the consumer was disabled for longer than ticks are kept; it goes on at the oldest tick",
        metadata: [
          "consumer": "\(name)", "skipped_first": "\(range.lowerBound)",
          "skipped_last": "\(range.upperBound)",
        ])
    }
    return consumers
  }
}

extension WriteTransaction {
  fileprivate func enable(
    _ requests: [ConsumerRequest], acceptDestinations: Bool
  ) throws -> (consumers: [Consumer], skipped: [(ConsumerName, OffsetRange)]) {
    let oldest = try connection.trimmed().next
    var skipped: [(ConsumerName, OffsetRange)] = []
    let stored = try connection.consumers()
    if !acceptDestinations { try refuseOtherDestinations(of: requests, stored: stored) }
    try connection.run("UPDATE consumers SET enabled = 0")
    for consumer in stored { try release(consumer.name) }
    for request in requests {
      guard let known = stored.first(where: { $0.name == request.name }) else {
        try connection.run(
          """
          INSERT INTO consumers(name, next_offset, destination, updated_at, enabled)
          VALUES (?, ?, ?, ?, 1)
          """,
          .text(request.name.rawValue), .int(oldest.rawValue), .text(request.destination), .int(now))
        continue
      }
      let (next, missed) = try passTrimmed(known, oldest: oldest, destination: request.destination)
      skipped += missed.map { (request.name, $0) }
      try connection.run(
        "UPDATE consumers SET enabled = 1, destination = ?, next_offset = ?, updated_at = ? WHERE name = ?",
        .text(request.destination), .int(next.rawValue), .int(now), .text(request.name.rawValue))
    }
    return (try connection.consumers().filter(\.isEnabled), skipped)
  }

  /// Finds what a consumer can still deliver of the ticks before the oldest one kept: the batches that it has
  /// planned, whose ticks were kept for it. What it has missed is recorded.
  ///
  /// - Returns: where it goes on, and what it has missed.
  private func passTrimmed(
    _ consumer: Consumer, oldest: Offset, destination: String
  ) throws -> (next: Offset, missed: [OffsetRange]) {
    guard consumer.next < oldest else { return (consumer.next, []) }
    var next = consumer.next
    var missed: [OffsetRange] = []
    var end = consumer.next
    for plan in try connection.plannedRanges(of: consumer.name, from: consumer.next) + [oldest...oldest]
    where end < oldest {
      let goesOn = min(plan.lowerBound, oldest)
      if end < goesOn {
        let range = end...goesOn.previous
        try skip(range, of: consumer.name, why: SkipReason.trimmed)
        missed.append(range)
        if next == end { next = goesOn } else { try passOver(range, of: consumer, destination) }
      }
      end = max(end, plan.upperBound.next)
    }
    return (next, missed)
  }

  /// Shipping comes to the range with a batch before it: as one that is done, it is not read.
  private func passOver(_ range: OffsetRange, of consumer: Consumer, _ destination: String) throws {
    try connection.run(
      """
      INSERT INTO batches(consumer, first_offset, last_offset, destination, bucket, key, rows, sha256, state,
        planned_at, shipped_at) VALUES (?, ?, ?, ?, '', '', 0, '', 'shipped', ?, ?)
      """, .text(consumer.name.rawValue), .int(range.lowerBound.rawValue), .int(range.upperBound.rawValue),
      .text(destination), .int(now), .int(now))
  }

  /// Names every consumer that would deliver elsewhere, so that one start shows them all.
  private func refuseOtherDestinations(
    of requests: [ConsumerRequest], stored: [Consumer]
  ) throws(LogError) {
    let changes = requests.compactMap { request in
      stored.first { $0.name == request.name && $0.destination != request.destination }
        .map {
          "consumer \(request.name) delivered to \($0.destination) and is now to deliver to \(request.destination)"
        }
    }
    guard !changes.isEmpty else { return }
    throw LogError(
      .destinationChanged,
      changes.joined(separator: "; ") + "; start with --accept-destination if that is meant")
  }
}

extension SQLiteConnection {
  /// The ranges of a consumer's plans from an offset on, shipped ones too, in order.
  fileprivate func plannedRanges(
    of consumer: ConsumerName, from first: Offset
  ) throws(SQLiteError) -> [OffsetRange] {
    let statement = try statement(
      """
      SELECT first_offset, last_offset FROM batches WHERE consumer = ? AND last_offset >= ?
      ORDER BY first_offset
      """)
    try statement.bind([.text(consumer.rawValue), .int(first.rawValue)])
    defer { statement.reset() }
    var ranges: [OffsetRange] = []
    while try statement.step() {
      ranges.append(Offset(rawValue: statement.int(0))...Offset(rawValue: statement.int(1)))
    }
    return ranges
  }

  /// The oldest tick kept, not counting what is kept for open plans alone; `nil` if there is none.
  ///
  /// The ticks are not asked: one that is missing or lies on a damaged page is a bad row, and not trimmed.
  func oldestOffset() throws(SQLiteError) -> Offset? {
    let oldest = try trimmed().next
    return oldest <= (try head()) ? oldest : nil
  }

  package func consumers() throws(SQLiteError) -> [Consumer] {
    let statement = try statement(
      "SELECT name, next_offset, destination, enabled, expired FROM consumers ORDER BY name")
    defer { statement.reset() }
    var consumers: [Consumer] = []
    while try statement.step() {
      consumers.append(
        Consumer(
          name: ConsumerName(rawValue: statement.text(0)), next: Offset(rawValue: statement.int(1)),
          destination: statement.text(2), isEnabled: statement.int(3) != 0, expired: Int(statement.int(4))))
    }
    return consumers
  }
}
