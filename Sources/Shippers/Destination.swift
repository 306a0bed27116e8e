import WAL

/// A place that one consumer delivers to, whole: its name and address, shipping to it, delivering again, and
/// looking at it and at what is there.
package protocol Destination: Sendable {
  /// The consumer that delivers there, as the log knows it.
  var consumer: ConsumerKind { get }
  /// The place as it is stored with the consumer: one line of JSON, see ``DestinationAddress``.
  var address: String { get }
  /// The name of the things that are there, for people: `objects`, `items`, `records`.
  var unit: String { get }
  /// How long what is there is kept, where that is ours to say; nil elsewhere, and for ever.
  var retention: Duration? { get }
  /// The longest that a tick waits for others of its delivery; zero if it goes alone.
  var batchWait: Duration { get }
  /// The view of what is there; nil for a place that cannot be asked.
  var inventory: Inventory? { get }

  /// Ships from an offset on until `context.control` ends it; when it returns, all that was confirmed is committed.
  ///
  /// - Throws: `CancellationError`, with everything confirmed until then committed; the log's errors.
  func ship(from next: Offset, _ context: ShippingContext) async throws

  /// Delivers a single tick, once, and moves no consumer.
  ///
  /// - Parameters:
  ///   - page: of one offset.
  ///   - logID: of the log that it is from.
  ///   - wall: our clock, microseconds since 1970, UTC.
  /// - Throws: trouble that is worth another try, later; the log's errors.
  func redeliver(_ page: TickPage, of logID: LogID, wall: Int64) async throws -> Redelivery

  /// Delivers a range again, and moves no consumer.
  ///
  /// - Throws: `LogError` with `notFound` for a range that cannot be delivered again; nothing is delivered then.
  func replay(_ replay: Replay) async throws -> Replay.Outcome

  /// Looks whether it can be delivered to. Changes nothing there, unless `writes`: then a small object may stay.
  ///
  /// - Returns: one finding or more.
  /// - Throws: `CancellationError` alone.
  func look(writes: Bool) async throws -> [DoctorFinding]
}

extension Destination {
  package var retention: Duration? { nil }
  package var batchWait: Duration { .zero }
}
