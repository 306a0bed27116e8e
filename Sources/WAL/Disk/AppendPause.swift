/// The gap for a time in which the volume had no room for ticks: from the last data before it to the first
/// after, even if the exchange's connection outlives it. A pause soon after the last one is of the same gap. A pure
/// value.
struct AppendPause<Gap> {
  private enum State {
    case none
    /// Ticks were refused.
    case refusing(Gap)
    /// They are taken again: what waited comes first, received before this time.
    case resumed(Gap, wall: Int64, at: Duration)
    /// They have ended the gap.
    case ended(Gap, at: Duration)
  }

  private var state = State.none

  /// The time after the end of a pause in which ticks may be from before it, whatever they say.
  private static var patience: Duration { .seconds(10) }
  /// The time after its end in which a gap is opened again instead of another one.
  private static var vicinity: Duration { .seconds(60) }

  /// Ticks were refused.
  /// - Returns: the gap to open, the first time; one that was closed before is to be opened again.
  mutating func refused(at now: Duration, make: () -> Gap) -> Gap? {
    switch state {
    case .ended(let gap, let end) where now < end + Self.vicinity:
      state = .refusing(gap)
      return gap
    case .none, .ended:
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
    state = .ended(gap, at: now)
    return gap
  }
}
