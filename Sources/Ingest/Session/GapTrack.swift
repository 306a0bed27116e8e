import WAL

/// One gap for each loss, from the last data before it to the first data after it.
struct GapTrack: Equatable, Sendable {
  private enum State: Equatable {
    case none
    /// A gap of an earlier run is open and says all there is to say.
    case covered
    case open(startedAt: Int64)
  }

  private var state: State
  /// Microseconds UTC of the last data of the connection in use, or of the program's start before any.
  private var lastAlive: Int64

  init(startedAt: Int64, isCovered: Bool) {
    lastAlive = startedAt
    state = isCovered ? .covered : .none
  }

  /// - Parameter time: microseconds UTC; the gap reaches back to it if it lies before the last data.
  mutating func lost(_ cause: Gap.Cause, since time: Int64? = nil) -> [FeedSession.Action] {
    guard state == .none else { return [] }
    let startedAt = min(time ?? lastAlive, lastAlive)
    state = .open(startedAt: startedAt)
    return [.openGap(startedAt: startedAt, cause: cause)]
  }

  /// Data of the connection in use arrived: the first, which ends a gap, and the last there is by now.
  mutating func data(first: Int64, last: Int64) -> [FeedSession.Action] {
    lastAlive = last
    defer { state = .none }
    guard case .open(let startedAt) = state else { return [] }
    // The clock may have been set back, and a follower may have had data before its leader's last.
    return [.closeGap(endedAt: max(first, startedAt))]
  }
}
