import AWS
import Logging
import WAL

/// The consumers of one process: what they are, where they deliver, and running them.
package struct Shipping: Sendable {
  /// A consumer and what it takes to run it.
  struct Member: Sendable {
    let request: ConsumerRequest
    let run: @Sendable (Consumer, Context) async throws -> Void
    /// Delivers a single tick, once; of a page of one offset, and by our clock (microseconds since 1970, UTC).
    let redeliver: @Sendable (TickPage, _ wall: Int64) async throws -> Redelivery
  }

  /// What every consumer of a process shares.
  struct Context: Sendable {
    let log: TickLog
    let control: ShippingControl
    let clock: ShippingClock
    let progress: ShippingProgress
    let attempts: Attempts
    let logger: Logger
  }

  private let members: [Member]

  init(_ members: [Member]) {
    self.members = members
  }

  /// The log alone.
  package static let none = Shipping([])

  /// For ``TickLog/enable(_:acceptDestinations:logger:)``.
  package var consumers: [ConsumerRequest] { members.map(\.request) }

  func member(of consumer: ConsumerName) -> Member? { members.first { $0.request.name == consumer } }

  /// Runs one consumer until `control` ends it.
  ///
  /// - Parameter consumer: as `enable` returned it.
  /// - Throws: `CancellationError`; the log's own errors.
  package func run(
    _ consumer: Consumer, log: TickLog, control: ShippingControl, progress: ShippingProgress,
    clock: ShippingClock = .system, logger: Logger
  ) async throws {
    guard let member = member(of: consumer.name) else {
      preconditionFailure("consumer \(consumer.name) is none of this process's")
    }
    var logger = logger
    logger[metadataKey: "consumer"] = "\(consumer.name)"
    let attempts = Attempts(
      reporter: TroubleReporter(logger: logger, now: clock.now), control: control, clock: clock
    ) { try await log.hold(consumer.name, why: $0) }
    try await member.run(
      consumer,
      Context(
        log: log, control: control, clock: clock, progress: progress, attempts: attempts, logger: logger))
  }
}

extension ConsumerName {
  package static let s3 = ConsumerName(rawValue: "s3")
  package static let dynamodb = ConsumerName(rawValue: "dynamodb")
  package static let localS3 = ConsumerName(rawValue: "local-s3")
  package static let localDynamoDB = ConsumerName(rawValue: "local-dynamodb")
}

extension ConsumerKind {
  /// Every consumer that this program can have.
  package static let all = [
    ConsumerKind(name: .s3, shipsInBatches: true), ConsumerKind(name: .dynamodb, shipsInBatches: false),
    ConsumerKind(name: .localS3, shipsInBatches: true),
    ConsumerKind(name: .localDynamoDB, shipsInBatches: false),
  ]
}
