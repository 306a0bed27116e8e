/// How long to wait before the next attempt: doubling from try to try up to a limit, half of it random, so that
/// many clients of a server that comes back do not all come at once.
struct BackOff: Equatable, Sendable {
  var first = Duration.milliseconds(250)
  var limit = Duration.seconds(30)
  private var failures = 0

  /// - Parameter random: in 0 ..< 1.
  mutating func next(random: Double) -> Duration {
    // 2¹⁶ times the first delay is beyond any limit, and the shift must not overflow.
    let full = min(first * (1 << min(failures, 16)), limit)
    failures += 1
    return full / 2 + (full / 2) * random
  }

  mutating func reset() { failures = 0 }

  /// Takes back a failure for each step of a time in which all was well, so that an hour with a loss now and
  /// then does not end with half a minute of waiting each time.
  mutating func recover(for healthy: Duration) {
    let steps = healthy / Self.recovery
    failures = steps >= Double(failures) ? 0 : failures - Int(steps)
  }

  private static let recovery = Duration.seconds(5)
}
