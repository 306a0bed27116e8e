/// Capped exponential back-off with jitter.
///
/// Reference: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
package struct Backoff: Equatable, Sendable {
  /// The random part of a wait, so that many clients of a server that comes back do not all come at once.
  package enum Jitter: Equatable, Sendable {
    /// Anything from nothing to the whole wait.
    case full
    /// One half is sure, the other one random.
    case equal
  }

  /// The longest wait that a server may ask for.
  static let longestRetryAfter = Duration.seconds(300)

  package var base: Duration
  package var cap: Duration
  package var jitter: Jitter

  package init(
    base: Duration = .milliseconds(50), cap: Duration = .seconds(20), jitter: Jitter = .full
  ) {
    self.base = base
    self.cap = cap
    self.jitter = jitter
  }

  /// The wait after the given failed attempt, counted from 1: the random part of `base`, doubled for each one
  /// before it, never more than `cap`. What the server asked for comes on top, so that not all come back at once.
  package func delay(
    afterAttempt attempt: Int, retryAfter: Duration? = nil, using generator: inout some RandomNumberGenerator
  ) -> Duration {
    let wait = delay(afterAttempt: attempt, random: generator.fraction())
    guard let retryAfter else { return wait }
    return min(max(retryAfter, .zero), Self.longestRetryAfter) + wait
  }

  /// - Parameter random: in 0 ..< 1.
  package func delay(afterAttempt attempt: Int, random: Double) -> Duration {
    // 2^40 times any base is above any sensible cap, and the product stays far from overflowing.
    let ceiling = min(cap, base * (1 << min(max(attempt, 1) - 1, 40)))
    switch jitter {
    case .full: return ceiling * random
    case .equal: return ceiling / 2 + (ceiling / 2) * random
    }
  }
}
