/// A budget of attempts that keeps an outage from being hammered: while most attempts at a service fail, they are spaced out.
///
/// Pure: the caller waits as it is told. There is no limit to the number of attempts.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html, retry quota
struct AttemptBudget {
  static let capacity = 500
  /// The amount that a failure takes and a success gives: the budget shrinks while more than half of all attempts fail.
  static let cost = 5
  /// With nothing left, attempts that wait at the same time leave at this distance.
  static let spacing = Duration.milliseconds(100)
  /// Nobody waits longer: what comes back is to be noticed soon.
  static let longestWait = Duration.seconds(5)

  private(set) var left = capacity
  private var waiting = 0

  /// The wait before the next attempt; if that is above zero, `leave` is called after the wait.
  mutating func enter() -> Duration {
    guard left < Self.cost else { return .zero }
    waiting += 1
    return min(Self.longestWait, Self.spacing * waiting)
  }

  mutating func leave() {
    waiting -= 1
  }

  /// No answer, or one that says that the service is in trouble. Being too fast is something else.
  mutating func failed() {
    left = max(0, left - Self.cost)
  }

  mutating func answered() {
    left = min(Self.capacity, left + Self.cost)
  }
}
