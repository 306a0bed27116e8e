/// Capped exponential back-off with full jitter.
///
/// Reference: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
package struct Backoff: Sendable {
  /// The longest wait that a server may ask for.
  static let longestRetryAfter = Duration.seconds(300)

  package var base: Duration
  package var cap: Duration

  package init(base: Duration = .milliseconds(50), cap: Duration = .seconds(20)) {
    self.base = base
    self.cap = cap
  }

  /// The wait after the given failed attempt, counted from 1: anything up to `base`, doubled for each one before
  /// it, never more than `cap`. What the server asked for comes on top, so that not all come back at once.
  package func delay(
    afterAttempt attempt: Int, retryAfter: Duration? = nil, using generator: inout some RandomNumberGenerator
  ) -> Duration {
    // 2^40 times any base is above any sensible cap, and the product stays far from overflowing.
    let ceiling = min(cap, base * (1 << min(max(attempt, 1) - 1, 40)))
    // 53 random bits as a fraction: one draw, so that a generator made for a test cannot be rejected for ever.
    let jitter = ceiling * (Double(generator.next() >> 11) * 0x1p-53)
    guard let retryAfter else { return jitter }
    return min(max(retryAfter, .zero), Self.longestRetryAfter) + jitter
  }
}
