/// A connection that is open: what it has delivered, whether it is alive, when it is to be replaced.
struct Link: Equatable, Sendable {
  /// When something was delivered, on the clock that stands still while sockets are not read, and in
  /// microseconds UTC.
  struct Mark: Equatable, Sendable {
    var time: Duration
    var utc: Int64
  }

  let id: FeedSession.ConnectionID
  /// On the monotonic clock.
  let openedAt: Duration
  let opened: Mark
  /// On the monotonic clock.
  let replaceAt: Duration
  var liveness: Liveness
  private(set) var firstData: Mark?
  private(set) var lastData: Mark?
  /// Messages in a row that were no ticks, and when the first of them came.
  private var rejected = 0
  private var rejectedSince: Duration?
  /// The exchange said that it will end it.
  var isLeaving = false

  init(
    _ id: FeedSession.ConnectionID, openedAtUTC utc: Int64, at moment: FeedSession.Moment,
    limits: FeedSession.Limits
  ) {
    self.id = id
    openedAt = moment.now
    opened = Mark(time: moment.reading, utc: utc)
    // Never all connections at once, and never later than the limit.
    replaceAt = moment.now + limits.maximumAge * (0.95 + 0.05 * moment.random)
    liveness = Liveness(
      interval: limits.pingInterval, timeout: limits.pongTimeout, openedAt: moment.reading)
  }

  mutating func received(at utc: Int64, _ moment: FeedSession.Moment) {
    liveness.arrived()
    rejected = 0
    rejectedSince = nil
    let mark = Mark(time: moment.reading, utc: utc)
    firstData = firstData ?? mark
    lastData = mark
  }

  /// Messages arrived that are no ticks.
  /// - Returns: whether they have taken the place of ticks.
  mutating func babbled(_ moment: FeedSession.Moment, _ limits: FeedSession.Limits) -> Bool {
    liveness.arrived()
    rejected += 1
    let since = rejectedSince ?? moment.reading
    rejectedSince = since
    guard rejected >= limits.babbleMessages, moment.reading - since >= limits.babble else { return false }
    // It has had data without a break only since then.
    firstData = nil
    return true
  }
}
