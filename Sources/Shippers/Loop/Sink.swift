import WAL

/// A place that ticks are delivered to. The loop around it is the same for all.
protocol Sink: Sendable {
  associatedtype Delivery: Sendable
  associatedtype Source: DeliverySource where Source.Delivery == Delivery

  var consumer: ConsumerName { get }
  /// How many deliveries may be on their way now.
  var limit: Int { get }
  /// How many may have started without the consumer's offset being committed past them: what a crash makes
  /// the next start deliver again.
  var uncommittedLimit: Int { get }
  /// With fewer deliveries than these waiting for their start, the source is asked for more.
  var readAhead: Int { get }

  /// Cuts the log into deliveries, from the consumer's next offset on.
  func makeSource(reader: LogReader, next: Offset) -> Source

  /// Delivers, and tries again until the sink has confirmed it or it is recorded as undeliverable.
  /// - Throws: `CancellationError`, or what ends the process: the log's own errors.
  func deliver(_ delivery: Delivery) async throws -> Confirmation
}

/// Where the deliveries of one consumer come from, in order, without a hole.
protocol DeliverySource: Sendable {
  associatedtype Delivery: Sendable

  /// The next deliveries; waits for ticks at the head of the log.
  /// - Returns: an empty array when the consumer is to end.
  func next() async throws -> [Prepared<Delivery>]
}

/// A delivery and the offsets that it settles.
struct Prepared<Delivery: Sendable>: Sendable {
  let range: OffsetRange
  let delivery: Delivery
}

/// What a confirmed delivery leaves to be written in the transaction that moves the offset past it.
struct Confirmation: Sendable {
  /// Ticks not written because their TTL had passed.
  var expired = 0
  var deadLetters: [DeadLetter] = []
  /// Bytes that the sink took.
  var bytes = 0
  /// More to write.
  var record: (@Sendable (WriteTransaction) throws -> Void)?
}
