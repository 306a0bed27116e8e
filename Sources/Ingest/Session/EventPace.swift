/// The pace of one connection's events: how far what it delivers lags behind its own best, and whether event times
/// have jumped ahead of the clock of this machine, as they do when a guest was paused whose clocks stood still.
///
/// Pure. Compares event times with the monotonic clock, and both only with themselves: neither a wrong clock on this
/// side nor one on the exchange's matters.
struct EventPace: Equatable, Sendable {
  /// Lags below this are the way of the network and say nothing.
  private let tolerance: Duration

  /// After a lag each one counts until it is below this.
  static let recovery = Duration.milliseconds(200)
  private var isLagging = false

  /// A lag that is longer is none: some event's time was nonsense, or the exchange's clock was set.
  static let mostLag = Duration.seconds(300)

  /// Event time minus the monotonic clock: the most that was seen.
  private var most: Duration?
  /// The most that was seen up to about a second ago.
  private var settled: Duration?
  private var settlesAt = Duration.zero
  /// The lateness of the last delivery's newest event; zero below ``tolerance``, and if none had a time.
  private(set) var lag = Duration.zero

  /// The time for which events without a time count as on time after one that was, and that for which they flow alone before
  /// they are believed again: in a delivery that lags they may come before the first one that says so.
  static let credit = Duration.seconds(1)
  static let proof = Duration.seconds(5)

  /// On the monotonic clock: the last event with a time, and the first one without since.
  private var timedAt = Duration.zero
  private var untimedSince: Duration?

  init(tolerance: Duration = .seconds(1)) { self.tolerance = tolerance }

  /// True once it was told an event's time.
  var isKnown: Bool { most != nil }

  /// A delivery has arrived.
  ///
  /// - Parameters:
  ///   - eventTime: milliseconds since 1970, UTC; the newest in it.
  ///   - oldest: the oldest in it: one delivery may have all that had been waiting for long.
  ///   - now: of the monotonic clock.
  /// - Returns: whether event times have jumped ahead.
  mutating func note(eventTime: Int64, oldest: Int64? = nil, at now: Duration) -> Bool {
    let ahead = .milliseconds(eventTime) - now
    var best = max(most ?? ahead, ahead)
    if best - ahead > Self.mostLag { best = ahead }
    let late = best - ahead
    if let oldest, case let longest = best + now - .milliseconds(oldest),
      longest >= tolerance, longest <= Self.mostLag
    {
      isLagging = true
    }
    isLagging = late >= (isLagging ? Self.recovery : tolerance)
    lag = isLagging ? late : .zero
    let hasJumped = settled.map { ahead - $0 >= tolerance } ?? false
    if hasJumped || now >= settlesAt {
      settled = hasJumped ? best : most
      settlesAt = now + .seconds(1)
    }
    most = best
    timedAt = now
    untimedSince = nil
    return hasJumped
  }

  /// A delivery has arrived of which no event says its time.
  ///
  /// - Returns: how late it may be.
  mutating func noteWithoutTime(at now: Duration) -> Duration {
    guard isKnown else { return .zero }
    let since = untimedSince ?? now
    untimedSince = since
    if now - timedAt <= Self.credit || now - since >= Self.proof { return lag }
    return lag + (now - timedAt)
  }
}
