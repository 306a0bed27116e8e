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
  private(set) var lastAlive: Int64
  /// Microseconds UTC of the end of the last gap.
  private var lastEnd = Int64.min
  /// On the clock that stands still while sockets are not read.
  private var doubtUntil: Duration?

  /// Shorter pauses leave no doubt worth having.
  private static let longPause = Duration.seconds(1)
  /// For reading what lay in the socket.
  private static let readingUp = Duration.seconds(10)

  init(startedAt: Int64, isCovered: Bool) {
    lastAlive = startedAt
    state = isCovered ? .covered : .none
  }

  /// - Parameter time: microseconds UTC; the gap reaches back to it if it lies before the last data, but not
  ///   into the last gap.
  mutating func lost(_ cause: Gap.Cause, since time: Int64? = nil) -> [FeedSession.Action] {
    guard state == .none else { return [] }
    let startedAt = min(max(time ?? lastAlive, lastEnd), lastAlive)
    state = .open(startedAt: startedAt)
    return [.openGap(startedAt: startedAt, cause: cause)]
  }

  /// Sockets are read again. What lay there says nothing about the time since: a connection that ended while
  /// nobody read it still delivers it. A loss in the next moments reaches back to before the pause.
  mutating func readAgain(after pause: Duration, at time: Duration) {
    if pause >= Self.longPause { doubtUntil = time + Self.readingUp }
  }

  /// Data of the connection in use arrived, in microseconds UTC; the first ends a gap.
  mutating func data(at utc: Int64, _ time: Duration) -> [FeedSession.Action] {
    end(first: utc, last: utc, time)
  }

  /// Another connection is in use, which has had data from `first` to `last`, in microseconds UTC. What its
  /// predecessor had beyond that lies above the watermark, but gaps do not overlap.
  mutating func tookOver(first: Int64, last: Int64, _ time: Duration) -> [FeedSession.Action] {
    end(first: first, last: max(last, min(lastAlive, lastEnd)), time)
  }

  private mutating func end(first: Int64, last: Int64, _ time: Duration) -> [FeedSession.Action] {
    if let doubtUntil, time >= doubtUntil { self.doubtUntil = nil }
    if doubtUntil == nil { lastAlive = last }
    defer { state = .none }
    guard case .open(let startedAt) = state else { return [] }
    // The clock may have been set back, and a standby may have had data before its primary's last.
    lastEnd = max(first, startedAt)
    if doubtUntil != nil { lastAlive = lastEnd }
    return [.closeGap(endedAt: lastEnd)]
  }
}
