import WAL

/// The view of a place that has one thing for each tick. Makes nothing and changes nothing but in ``write(_:)``.
///
/// Everything but cancellation that these calls throw is worth another try, later.
package protocol TickInventory: Sendable {
  /// A tick in the form in which it should be there.
  associatedtype Expected: Sendable
  /// The name of a thing in the place. Ticks of one key are of one event time: the last of them is there.
  associatedtype Key: Hashable, Sendable
  /// A thing as it is there.
  associatedtype Found: Sendable

  /// The place, for messages.
  var place: String { get }
  /// The number of keys that one call may ask for.
  var keysAtATime: Int { get }

  /// `nil` for a tick that can never be there.
  func expected(_ batch: TickBatch, _ tick: TickBatch.Entry, at offset: Offset) -> Expected?
  func key(_ expected: Expected) -> Key
  /// The words for a thing, behind its offset; `nil` where that says all.
  func name(_ expected: Expected) -> String?

  /// The things under some keys, as they are now; at most ``keysAtATime``, each once.
  func found(under keys: [Key]) async throws -> [Key: Found]
  func compare(_ expected: Expected, with found: Found) -> TickMatch

  /// Whether its time is over, so that it need not be there.
  ///
  /// - Parameter wall: our clock, microseconds since 1970, UTC.
  /// - Throws: `CancellationError` or `ShippingStopped` alone.
  func hasExpired(_ expected: Expected, wall: Int64, attempts: Attempts) async throws -> Bool

  /// Writes a tick; durable when it returns.
  /// - Returns: why the place does not take it; `nil` when it has.
  func write(_ expected: Expected) async throws -> String?

  /// Gives back what it holds open, until it is needed again.
  func close() async throws
}

extension TickInventory {
  package func name(_ expected: Expected) -> String? { nil }
  package func hasExpired(_ expected: Expected, wall: Int64, attempts: Attempts) -> Bool { false }
  package func close() {}
}

/// The outcome for a thing that is there.
package enum TickMatch: Sendable, Equatable {
  case agrees
  /// In everything but the time at which it expires.
  case agreesButTTL
  /// The names of what differs.
  case differs([String])
}
