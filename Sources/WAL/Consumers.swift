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
          "consumer": "\(name)", "skipped_first": .stringConvertible(range.lowerBound.rawValue),
          "skipped_last": .stringConvertible(range.upperBound.rawValue),
        ])
    }
    return consumers
  }
}

extension WriteTransaction {
  fileprivate func enable(
    _ requests: [ConsumerRequest], acceptDestinations: Bool
  ) throws -> (consumers: [Consumer], skipped: [(ConsumerName, OffsetRange)]) {
    let oldest = try connection.logStart()
    var skipped: [(ConsumerName, OffsetRange)] = []
    let stored = try connection.consumers()
    if !acceptDestinations { try refuseOtherDestinations(of: requests, stored: stored) }
    try connection.disableConsumers()
    for consumer in stored { try release(consumer.name) }
    for request in requests {
      guard let known = stored.first(where: { $0.name == request.name }) else {
        try connection.insertConsumer(
          request.name, next: oldest, destination: request.destination, at: now)
        continue
      }
      let (next, missed) = try passTrimmed(known, oldest: oldest, destination: request.destination)
      skipped += missed.map { (request.name, $0) }
      try connection.enableConsumer(request.name, next: next, destination: request.destination, at: now)
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
    try connection.insertEmptyBatch(range, of: consumer.name, destination: destination, at: now)
  }

  /// Names every consumer that would deliver elsewhere, so that one start shows them all.
  private func refuseOtherDestinations(
    of requests: [ConsumerRequest], stored: [Consumer]
  ) throws(LogError) {
    let changes = requests.compactMap { request in
      stored.first { $0.name == request.name && $0.destination != request.destination }
        .map {
          "consumer \(request.name) delivered to \(JSONText.words($0.destination)) and is now to deliver to "
            + JSONText.words(request.destination)
        }
    }
    guard !changes.isEmpty else { return }
    throw LogError(
      .destinationChanged,
      changes.joined(separator: "; ") + "; start with --accept-destination if that is meant")
  }
}
