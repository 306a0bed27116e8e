import Base

/// The number of failures that the next wait is for: each one makes it longer, time in which all was well takes
/// some back.
struct FailureCount: Equatable, Sendable {
  private let backoff: Backoff
  private var failures = 0

  private static let recovery = Duration.seconds(5)

  init(_ backoff: Backoff) { self.backoff = backoff }

  /// Counts a failure; returns the wait before the next attempt.
  ///
  /// - Parameter random: in 0 ..< 1.
  mutating func next(random: Double) -> Duration {
    failures += 1
    return backoff.delay(afterAttempt: failures, random: random)
  }

  mutating func reset() { failures = 0 }

  /// Takes back a failure for each step of a time in which all was well, so that an hour with a loss now and
  /// then does not end with half a minute of waiting each time.
  mutating func recover(for healthy: Duration) {
    let steps = healthy / Self.recovery
    failures = steps >= Double(failures) ? 0 : failures - Int(steps)
  }
}
