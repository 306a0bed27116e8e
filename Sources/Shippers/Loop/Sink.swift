import Base
import WAL

/// A place that ticks are delivered to. The loop around it is the same for all.
package protocol Sink: Sendable {
  associatedtype Delivery: Sendable
  associatedtype Source: DeliverySource where Source.Delivery == Delivery

  var consumer: ConsumerName { get }
  /// The number of deliveries that may be on their way now.
  var limit: Int { get }
  /// The number that may have started without the consumer's offset being committed past them: what a crash
  /// makes the next start deliver again.
  var uncommittedLimit: Int { get }
  /// With fewer deliveries than these waiting for their start, the source is asked for more.
  var readAhead: Int { get }

  /// Whether the loop, and every task of a delivery, runs on the thread that reads the log: where deliveries need little
  /// of this machine, the wakings of other threads cost more than they do.
  var staysOnReader: Bool { get }

  /// Cuts the log into deliveries, from the consumer's next offset on.
  func makeSource(reader: LogReader, next: Offset) -> Source

  /// Whether there is work that needs no turn, see ``prepare(_:)``.
  var preparesAhead: Bool { get }

  /// Does what of a delivery can be done while it waits for its turn; `deliver` may begin meanwhile, and has it then.
  /// - Throws: `CancellationError`.
  func prepare(_ delivery: Delivery) async throws

  /// Delivers, and tries again until the sink has confirmed it or it is recorded as undeliverable.
  /// - Throws: `CancellationError`, or what ends the process: the log's own errors.
  func deliver(_ delivery: Delivery) async throws -> Confirmation

  /// Begins a delivery without a task of its own, which costs much where there is one for each tick.
  ///
  /// - Parameters:
  ///   - isPatient: whether the end may be told a millisecond or two late, since nothing waits for it.
  ///   - completion: called once, when the first try has ended; what it returns is called a moment later.
  /// - Returns: calls the try off; `nil` if nothing was begun and `deliver` must be used.
  func start(_ delivery: Delivery, isPatient: Bool, _ completion: @escaping @Sendable (FirstTry) -> Wake?)
    -> CallOff?
}

extension Sink {
  package var staysOnReader: Bool { false }
  package var preparesAhead: Bool { false }
  package func prepare(_ delivery: Delivery) async throws {}

  package func start(
    _ delivery: Delivery, isPatient: Bool, _ completion: @escaping @Sendable (FirstTry) -> Wake?
  ) -> CallOff? { nil }
}

/// The end of a delivery's first try.
package enum FirstTry: Sendable {
  case confirmed(Confirmation)
  /// It is not over: this goes on as `deliver` would.
  case open(@Sendable () async throws -> Confirmation)
}

/// The source of one consumer's deliveries, in order, without a hole.
package protocol DeliverySource: Sendable {
  associatedtype Delivery: Sendable

  /// The next deliveries; waits for ticks at the head of the log.
  /// - Returns: an empty array when the consumer is to end.
  func next() async throws -> [Prepared<Delivery>]
}

/// A delivery and the offsets that it settles.
package struct Prepared<Delivery: Sendable>: Sendable {
  package let range: OffsetRange
  package let delivery: Delivery

  package init(range: OffsetRange, delivery: Delivery) {
    self.range = range
    self.delivery = delivery
  }
}

/// The rest that a confirmed delivery leaves to be written in the transaction that moves the offset past it.
package struct Confirmation: Sendable {
  /// What has gone out, for the metrics.
  package struct Sent: Sendable {
    /// Of the bodies.
    package let bytes: Int
    /// Microseconds since 1970, UTC; of the oldest tick.
    package let receivedAt: Int64
    package let isObject: Bool
    /// The object's key; nil for what is none.
    package let key: String?

    package init(bytes: Int, receivedAt: Int64, isObject: Bool, key: String? = nil) {
      self.bytes = bytes
      self.receivedAt = receivedAt
      self.isObject = isObject
      self.key = key
    }
  }

  /// Ticks not written because their TTL had passed.
  package let expired: Int
  package let deadLetters: [DeadLetter]
  /// The part that has gone out; nil if nothing had to.
  package let sent: Sent?
  /// More to write.
  package let record: (@Sendable (WriteTransaction) throws -> Void)?

  package init(
    expired: Int = 0, deadLetters: [DeadLetter] = [], sent: Sent? = nil,
    record: (@Sendable (WriteTransaction) throws -> Void)? = nil
  ) {
    self.expired = expired
    self.deadLetters = deadLetters
    self.sent = sent
    self.record = record
  }
}
