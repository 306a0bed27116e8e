/// The gap for a time in which the volume had no room for ticks: from the last data before it to the first
/// after, even if the exchange's connection outlives it. A pure value.
struct AppendPause<Gap> {
  private enum State {
    case none
    /// Ticks were refused.
    case refusing(Gap)
    /// They are taken again: what waited comes first, received before this time.
    case resumed(Gap, wall: Int64, at: Duration)
  }

  private var state = State.none

  /// The time after the end of a pause in which ticks may be from before it, whatever they say.
  private static var patience: Duration { .seconds(10) }

  /// Ticks were refused.
  /// - Returns: the gap to open, the first time.
  mutating func refused(make: () -> Gap) -> Gap? {
    switch state {
    case .none:
      let gap = make()
      state = .refusing(gap)
      return gap
    case .refusing: return nil
    case .resumed(let gap, _, _):
      state = .refusing(gap)
      return nil
    }
  }

  /// Ticks are taken again.
  /// - Parameter wall: microseconds since 1970, UTC.
  mutating func ended(wall: Int64, at now: Duration) {
    guard case .refusing(let gap) = state else { return }
    state = .resumed(gap, wall: wall, at: now)
  }

  /// Ticks were taken.
  /// - Returns: the gap that they end.
  mutating func appended(receivedAt: Int64, at now: Duration) -> Gap? {
    guard case .resumed(let gap, let wall, let end) = state, receivedAt >= wall || now >= end + Self.patience
    else { return nil }
    state = .none
    return gap
  }
}
