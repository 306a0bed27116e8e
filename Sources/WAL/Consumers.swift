import Logging

/// A consumer that a start wants, and where it is to deliver.
public struct ConsumerRequest: Sendable, Equatable {
  public let name: ConsumerName
  /// As JSON; compared byte for byte with the stored one.
  public let destination: String

  public init(name: ConsumerName, destination: String) {
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
  public func enable(
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
    let head = try connection.head()
    let oldest = try connection.oldestOffset() ?? head.next
    var skipped: [(ConsumerName, OffsetRange)] = []
    let stored = try connection.consumers()
    if !acceptDestinations { try refuseOtherDestinations(of: requests, stored: stored) }
    try connection.run("UPDATE consumers SET enabled = 0")
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
      let next = max(known.next, oldest)
      if known.next < next {
        let range = known.next...next.previous
        try skip(range, of: request.name, why: "trimmed while the consumer was disabled")
        skipped.append((request.name, range))
      }
      try connection.run(
        "UPDATE consumers SET enabled = 1, destination = ?, next_offset = ?, updated_at = ? WHERE name = ?",
        .text(request.destination), .int(next.rawValue), .int(now), .text(request.name.rawValue))
    }
    return (try connection.consumers().filter(\.isEnabled), skipped)
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
  func oldestOffset() throws(SQLiteError) -> Offset? {
    try int("SELECT offset FROM ticks ORDER BY offset LIMIT 1").map { Offset(rawValue: $0) }
  }

  func consumers() throws(SQLiteError) -> [Consumer] {
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
