/// The decision when the writer's thread does the next piece of upkeep: one at a time between commits, and a
/// quarter of its time at most.
struct UpkeepPace {
  /// Between looks whether there is something to do.
  static let idlePause = Duration.seconds(1)
  /// The time for which a commit that is due goes first.
  static let patience = Duration.milliseconds(20)

  /// On the writer's monotonic clock.
  private(set) var dueAt: Duration

  func isDue(now: Duration, isCommitDue: Bool) -> Bool {
    now >= (isCommitDue ? dueAt + Self.patience : dueAt)
  }

  /// - Parameter didWork: whether there may be more to do.
  mutating func finished(from start: Duration, to end: Duration, didWork: Bool) {
    dueAt = end + (didWork ? (end - start) * 3 : Self.idlePause)
  }
}
