import WAL

/// The account of how much of a run is proven complete, and when it is written to the log: with ticks, every few
/// seconds, and at the end. Pure.
struct CompletenessAccount: Sendable {
  private static let pause = Duration.seconds(5)

  /// Microseconds UTC: the run's start.
  private let since: Int64
  /// On a monotonic clock.
  private var next: Duration?
  /// True if there may be ticks that it does not know of.
  private var isBehind = false

  init(since: Int64) { self.since = since }

  /// To be asked for when ticks have been noted.
  /// - Returns: nil if it is not time.
  mutating func due(of watch: StreamWatch, at now: Duration, utc: Int64) -> Completeness? {
    if let next, now < next {
      isBehind = true
      return nil
    }
    next = now + Self.pause
    isBehind = false
    return Completeness(since: since, at: utc, kinds: watch.completeness())
  }

  /// - Returns: nil if all is written.
  mutating func last(of watch: StreamWatch, utc: Int64) -> Completeness? {
    guard isBehind else { return nil }
    isBehind = false
    return Completeness(since: since, at: utc, kinds: watch.completeness())
  }
}
