/// Keeps the attempts to connect below the exchange's limit, counted over a sliding window.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams, "limit of 300
/// connections per attempt every 5 minutes per IP"
struct AttemptLimiter: Equatable, Sendable {
  let limit: Int
  let window: Duration
  private var attempts: [Duration] = []

  init(limit: Int = 300, window: Duration = .seconds(300)) {
    self.limit = limit
    self.window = window
  }

  /// How long to wait until an attempt is allowed; zero if it is now. Times are of one monotonic clock.
  mutating func wait(at now: Duration) -> Duration {
    attempts.removeAll { now - $0 >= window }
    guard attempts.count >= limit else { return .zero }
    return attempts[attempts.count - limit] + window - now
  }

  mutating func record(at now: Duration) { attempts.append(now) }
}
