import WAL

/// Decides when the feed connects, gives up, and waits, and when a gap begins and ends.
///
/// A pure value: events go in, actions come out. Connections are numbered, so that what an abandoned one still
/// reports is recognized as late, and so that there can be more than one.
struct FeedSession: Sendable {
  struct ConnectionID: Hashable, Sendable { let number: Int }

  enum Event: Equatable, Sendable {
    case started
    /// The WebSocket is open.
    case opened(ConnectionID)
    /// The connection ended, or could not be opened. `cause` counts if it had been open.
    case ended(ConnectionID, cause: Gap.Cause)
    /// The timer that was set last has run out.
    case timer
    case stopped
  }

  enum Action: Equatable, Sendable {
    case connect(ConnectionID)
    /// Drop a connection that takes too long to open.
    case abandon(ConnectionID)
    /// End a connection in an orderly way.
    case close(ConnectionID)
    /// Set the timer, in place of any earlier one.
    case setTimer(Duration)
    case cancelTimer
    /// From microseconds UTC.
    case openGap(startedAt: Int64, cause: Gap.Cause)
  }

  struct Limits: Equatable, Sendable {
    /// For the connection, TLS and the upgrade together.
    var opening = Duration.seconds(30)
    /// After this long, back-off starts again from its beginning.
    var healthyAfter = Duration.seconds(60)
  }

  private enum State: Equatable {
    case idle
    case opening(ConnectionID)
    case open(ConnectionID, since: Duration)
    case waiting
    case stopped
  }

  private let limits: Limits
  private var state = State.idle
  private var backOff: BackOff
  private var limiter: AttemptLimiter
  private var lastNumber = 0
  private(set) var isGapOpen: Bool
  /// Microseconds UTC of the last data, or of the program's start before any.
  private var lastAlive: Int64
  /// Microseconds UTC of the last data of this run.
  private(set) var lastDataAt: Int64?

  /// - Parameters:
  ///   - startedAt: microseconds UTC.
  ///   - isGapOpen: whether an earlier run left a gap that the first data ends.
  init(
    startedAt: Int64, isGapOpen: Bool, limits: Limits = Limits(), backOff: BackOff = BackOff(),
    limiter: AttemptLimiter = AttemptLimiter()
  ) {
    self.limits = limits
    self.backOff = backOff
    self.limiter = limiter
    self.isGapOpen = isGapOpen
    lastAlive = startedAt
  }

  /// - Parameters:
  ///   - now: of a monotonic clock.
  ///   - random: in 0 ..< 1, fresh for each call.
  mutating func handle(_ event: Event, at now: Duration, random: Double) -> [Action] {
    switch event {
    case .started:
      guard state == .idle else { return [] }
      return connect(at: now)
    case .opened(let id):
      guard state == .opening(id) else { return [] }
      state = .open(id, since: now)
      return [.cancelTimer]
    case .ended(let id, let cause):
      return ended(id, cause, at: now, random: random)
    case .timer:
      return timer(at: now, random: random)
    case .stopped:
      return stop()
    }
  }

  /// Notes that data has arrived, at microseconds UTC. True if it ends a gap.
  mutating func dataReceived(at time: Int64) -> Bool {
    lastAlive = time
    lastDataAt = time
    defer { isGapOpen = false }
    return isGapOpen
  }

  private mutating func connect(at now: Duration) -> [Action] {
    let wait = limiter.wait(at: now)
    guard wait == .zero else {
      state = .waiting
      return [.setTimer(wait)]
    }
    limiter.record(at: now)
    lastNumber += 1
    let id = ConnectionID(number: lastNumber)
    state = .opening(id)
    return [.setTimer(limits.opening), .connect(id)]
  }

  private mutating func ended(
    _ id: ConnectionID, _ cause: Gap.Cause, at now: Duration, random: Double
  ) -> [Action] {
    switch state {
    case .opening(id):
      return lost(.refused) + wait(random: random)
    case .open(id, let since):
      if now - since >= limits.healthyAfter { backOff.reset() }
      return lost(cause) + wait(random: random)
    default:
      return []
    }
  }

  private mutating func timer(at now: Duration, random: Double) -> [Action] {
    switch state {
    case .waiting: return connect(at: now)
    case .opening(let id): return [.abandon(id)] + lost(.refused) + wait(random: random)
    case .idle, .open, .stopped: return []
    }
  }

  private mutating func stop() -> [Action] {
    defer { state = .stopped }
    switch state {
    case .opening(let id): return [.cancelTimer, .abandon(id)]
    case .open(let id, _): return [.cancelTimer, .close(id)]
    case .idle, .waiting, .stopped: return [.cancelTimer]
    }
  }

  private mutating func wait(random: Double) -> [Action] {
    state = .waiting
    return [.setTimer(backOff.next(random: random))]
  }

  /// One gap lasts until data comes again, however many attempts fail in between.
  private mutating func lost(_ cause: Gap.Cause) -> [Action] {
    if isGapOpen { return [] }
    isGapOpen = true
    return [.openGap(startedAt: lastAlive, cause: cause)]
  }
}
