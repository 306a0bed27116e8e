import WAL

/// One gap for each loss, from the last data before it to the first data after it.
struct GapTrack: Equatable, Sendable {
  private enum State: Equatable {
    case none
    /// A gap of an earlier run is open and says all there is to say.
    case covered
    case open(startedAt: Int64)
  }

  /// The doubt after sockets were not read for a while: what lay there says nothing about the time since, because a
  /// connection that ended while nobody read it still delivers it. A loss in doubt reaches back to before. The answer
  /// to a ping that was sent since ends the doubt.
  private struct Doubt: Equatable {
    /// On the clock that stands still while sockets are not read.
    var until: Duration
    /// The process did not run, rather than that it chose not to read.
    var isFrozen: Bool
    /// Microseconds UTC: the last data, as far as it can be trusted.
    var lastRead: Int64
  }

  private var state: State
  /// Microseconds UTC: up to then the connection in use has delivered everything. Its last data, less what that
  /// lagged; the program's start before any.
  private(set) var lastAlive: Int64
  /// Microseconds UTC of the end of the last gap.
  private var lastEnd = Int64.min
  private var doubt: Doubt?

  /// Shorter pauses leave no doubt worth having.
  private static let longPause = Duration.seconds(1)
  /// For reading what lay in the socket.
  private static let readingUp = Duration.seconds(10)

  /// An open gap, of this run or an earlier one, names all streams of the slot.
  var isNamingAll: Bool { state != .none }

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
    let isOfFreeze = doubt?.isFrozen == true && (cause == .closed || cause == .stale)
    return [.openGap(startedAt: startedAt, cause: isOfFreeze ? .frozen : cause)]
  }

  /// Sockets are read again after a pause.
  /// - Returns: whether it was long enough for doubt.
  mutating func readAgain(after pause: Duration, at time: Duration) -> Bool {
    guard pause >= Self.longPause else { return false }
    doubt = Doubt(
      until: time + Self.readingUp, isFrozen: doubt?.isFrozen ?? false, lastRead: doubt?.lastRead ?? lastAlive
    )
    return true
  }

  /// The process runs again.
  mutating func thawed(at time: Duration) {
    doubt = Doubt(until: time + Self.readingUp, isFrozen: true, lastRead: doubt?.lastRead ?? lastAlive)
  }

  /// The connection in use has answered a ping: it is alive, and all that it was sent before has arrived.
  mutating func proven() {
    guard let doubt, case .none = state else { return }
    lastAlive = doubt.lastRead
    self.doubt = nil
  }

  /// Data of the connection in use arrived, in microseconds UTC; the first ends a gap.
  ///
  /// - Parameter lag: of what arrived: what was made since is still owed.
  mutating func data(at utc: Int64, lag: Duration, _ time: Duration) -> [FeedSession.Action] {
    // What came on time before has been delivered, whatever comes late now.
    let complete = utc - lag.wholeMicroseconds
    return end(first: utc, last: utc >= lastAlive ? max(lastAlive, complete) : utc, time)
  }

  /// Another connection is in use, which has had data from `first` to `last`, in microseconds UTC. What its
  /// predecessor had beyond that lies above the watermark, but gaps do not overlap.
  mutating func tookOver(first: Int64, last: Int64, _ time: Duration) -> [FeedSession.Action] {
    end(first: first, last: max(last, min(lastAlive, lastEnd)), time)
  }

  private mutating func end(first: Int64, last: Int64, _ time: Duration) -> [FeedSession.Action] {
    if let doubt, time >= doubt.until { self.doubt = nil }
    if doubt == nil { lastAlive = last } else { doubt?.lastRead = last }
    defer { state = .none }
    guard case .open(let startedAt) = state else { return [] }
    // The clock may have been set back, and a standby may have had data before its primary's last.
    lastEnd = max(first, startedAt)
    // What was owed before lies in the gap, or the last connection has delivered it.
    lastAlive = doubt != nil ? lastEnd : max(lastAlive, lastEnd)
    doubt?.lastRead = max(last, lastEnd)
    return [.closeGap(endedAt: lastEnd)]
  }
}
