/// A connection that is open: what it has delivered, whether it is alive, when it is to be replaced.
struct Link: Equatable, Sendable {
  /// The moment of a delivery, on the clock that stands still while sockets are not read, and in
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
  /// On the clock that stands still while sockets are not read.
  private(set) var lastDataAt: Duration?
  /// The first data since when nothing else has taken the place of data.
  private(set) var unbrokenSince: Mark?
  /// Microseconds UTC: up to then it has delivered everything that it was sent; its last data less what that lagged.
  private(set) var completeUntil: Int64?
  /// Messages in a row that were no ticks.
  private var rejectedInARow = 0
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

  mutating func received(at utc: Int64, lag: Duration, _ moment: FeedSession.Moment) {
    liveness.arrived()
    rejectedInARow = 0
    let mark = Mark(time: moment.reading, utc: utc)
    firstData = firstData ?? mark
    lastDataAt = moment.reading
    unbrokenSince = unbrokenSince ?? mark
    // What came on time before has been delivered, whatever comes late now; a clock may have been set back.
    let known = completeUntil ?? .min
    completeUntil = utc >= known ? max(known, utc - lag.wholeMicroseconds) : utc
  }

  /// True if messages that were no ticks have taken the place of data that a connection has not delivered either, which
  /// had all up to a time; microseconds UTC.
  func isBroken(since time: Int64?) -> Bool {
    guard let firstData, unbrokenSince != firstData else { return false }
    guard let unbrokenSince, let time else { return true }
    return time < unbrokenSince.utc
  }

  /// Messages arrived that are no ticks.
  /// - Returns: whether they have taken the place of ticks.
  mutating func rejected(_ messages: Int) -> Bool {
    liveness.arrived()
    rejectedInARow += messages
    guard rejectedInARow >= FeedSession.Limits.babble else { return false }
    unbrokenSince = nil
    return true
  }
}

extension Duration {
  var wholeMicroseconds: Int64 { Int64(self / .microseconds(1)) }
}
