import WAL

/// Decides when a slot of the feed connects, gives up, waits, looks whether it is deaf and replaces its
/// connection, and when a gap begins and ends.
///
/// A pure value: events go in, actions come out.
struct FeedSession: Sendable {
  /// When `.timer` is wanted, on the clock of `now`.
  var deadline: Duration? { nil }
  /// Microseconds UTC of the last data of this run.
  private(set) var lastDataAt: Int64?

  /// - Parameters:
  ///   - startedAt: microseconds UTC.
  ///   - isCovered: an open gap of an earlier run names every stream of the slot: there is no gap of its own
  ///     until the first data.
  init(startedAt: Int64, isCovered: Bool, limits: Limits = Limits(), backOff: BackOff = BackOff()) {}

  /// - Parameters:
  ///   - now: of a monotonic clock.
  ///   - random: in 0 ..< 1, fresh for each call.
  ///   - attempts: of all slots; on the clock of `now`.
  mutating func handle(
    _ event: Event, at now: Duration, random: Double, attempts: inout AttemptLimiter
  ) -> [Action] { [] }
}
