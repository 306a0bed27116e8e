import AWS
import Logging
import WAL

/// The consumers of one process: their destinations, and running them.
package struct Shipping: Sendable {
  package let destinations: [any Destination]
  /// For what is noted at the destinations of who ships there.
  package let process: ProcessIdentity

  package init(_ destinations: [any Destination], process: ProcessIdentity = .unknown) {
    self.destinations = destinations
    self.process = process
  }

  /// The log alone.
  package static let none = Shipping([])

  /// For ``TickLog/enable(_:acceptDestinations:logger:)``.
  package var consumers: [ConsumerRequest] {
    destinations.map { ConsumerRequest(name: $0.consumer.name, destination: $0.address) }
  }

  package func destination(of consumer: ConsumerName) -> (any Destination)? {
    destinations.first { $0.consumer.name == consumer }
  }

  /// Runs one consumer until `control` ends it.
  ///
  /// - Parameter consumer: as `enable` returned it.
  /// - Throws: `CancellationError`; the log's own errors.
  package func run(
    _ consumer: Consumer, log: TickLog, control: ShippingControl, progress: ShippingProgress,
    clock: ShippingClock = .system, logger: Logger
  ) async throws {
    guard let destination = destination(of: consumer.name) else {
      preconditionFailure("consumer \(consumer.name) is none of this process's")
    }
    var logger = logger
    logger[metadataKey: "consumer"] = "\(consumer.name)"
    let attempts = Attempts(
      reporter: TroubleReporter(
        logger: logger, now: clock.now, progress: progress, position: { (progress.snapshot.next, log.head) }),
      control: control,
      clock: clock
    ) { try await log.hold(consumer.name, why: $0) }
    try await destination.ship(
      from: consumer.next,
      ShippingContext(
        log: log, control: control, clock: clock, progress: progress, attempts: attempts, logger: logger,
        process: process))
  }
}

/// The surroundings of a consumer while it ships: the log, the order to end, clocks, and the way to try again.
package struct ShippingContext: Sendable {
  package let log: TickLog
  package let control: ShippingControl
  package let clock: ShippingClock
  package let progress: ShippingProgress
  package let attempts: Attempts
  package let logger: Logger
  package let process: ProcessIdentity

  package var tail: Tail { Tail(log: log, control: control, clock: clock) }

  /// For work beside the data's, whose trouble is its own.
  func attempts(at work: String) -> Attempts {
    var logger = logger
    logger[metadataKey: "work"] = "\(work)"
    return attempts.reporting(to: TroubleReporter(logger: logger, now: clock.now))
  }

  /// A reader of the log for as long as `body` runs.
  package func withReader(_ body: (LogReader) async throws -> Void) async throws {
    let reader = try await log.makeReader()
    do {
      try await body(reader)
    } catch {
      try await reader.close()
      throw error
    }
    try await reader.close()
  }

  /// Runs the loop: reads, delivers through the sink, and commits what is confirmed.
  ///
  /// - Throws: `CancellationError`, with everything confirmed until then committed; the log's errors.
  package func ship(_ sink: some Sink, reader: LogReader, next: Offset) async throws {
    try await Shipper(
      sink: sink, log: log, control: control, progress: progress,
      reporter: DeadLetterReporter(logger: logger, now: clock.now),
      expiry: ExpiryReporter(logger: logger, now: clock.now), metrics: ShipMetrics(sink.consumer)
    ).run(reader: reader, next: next)
  }
}
