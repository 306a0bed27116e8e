import Base
import WAL

/// The decisions of one slot of the feed: when it connects, gives up and waits, when it looks whether its
/// connection is deaf, when it replaces it, and when a gap begins and ends.
///
/// A pure value: events go in, actions come out. There are never more than two connections: the current one and
/// either a standby (`FeedSession+Standby`) or one that drains after its close.
struct FeedSession: Sendable {
  /// The moment of an event, on the clocks that count, and a random number in 0 ..< 1 for it.
  struct Moment: Sendable {
    /// Of a monotonic clock.
    var now: Duration
    /// Of the clock that stands still while sockets are not read.
    var reading: Duration
    var random: Double
  }

  enum Current: Equatable, Sendable {
    /// On the monotonic clock.
    case waiting(until: Duration)
    /// On the clock that stands still while sockets are not read.
    case opening(ConnectionID, until: Duration)
    case open(Link)
  }

  /// After its close, until the server has ended it.
  struct Draining: Equatable, Sendable {
    var id: ConnectionID
    /// On the clock that stands still while sockets are not read.
    var until: Duration
  }

  /// After the end was asked for.
  struct Ending: Equatable, Sendable {
    var left: Set<ConnectionID>
    var current: ConnectionID?
    /// On the monotonic clock.
    var until: Duration
  }

  enum Phase: Equatable, Sendable {
    case idle, running
    case ending(Ending)
    case finished
  }

  let limits: Limits
  var phase = Phase.idle
  var current = Current.waiting(until: .zero)
  var standby: Standby?
  var draining: Draining?
  var clock = ReadingClock()
  var silence: Silence
  var gaps: GapTrack
  var lastNumber = 0
  private var failures: FailureCount
  var failedReplacements: FailureCount
  /// Standbys in a row that lacked streams.
  var lackingReplacements = FailureCount(FeedSession.lackingBackoff)
  /// Since when there has been an open connection without a break.
  private var openSince: Duration?
  private var hasReconnectedAtOnce = false
  var areAttemptsUsedUp = false
  /// Microseconds UTC of the last data of the connection in use, or of the start before any. A standby that has not
  /// taken over does not count: what its primary should have delivered meanwhile may be missing.
  var lastDataAt: Int64 { gaps.lastAlive }

  /// - Parameters:
  ///   - startedAt: microseconds UTC.
  ///   - isCovered: an open gap of an earlier run names every stream of the slot: there is no gap of its own
  ///     until the first data.
  init(startedAt: Int64, isCovered: Bool, limits: Limits = Limits(), backoff: Backoff = FeedSession.backoff) {
    self.limits = limits
    failures = FailureCount(backoff)
    failedReplacements = FailureCount(backoff)
    silence = Silence(interval: limits.staleAfter, mostDoublings: limits.staleDoublings, since: .zero)
    gaps = GapTrack(startedAt: startedAt, isCovered: isCovered)
  }

  /// - Parameters:
  ///   - now: of a monotonic clock.
  ///   - random: in 0 ..< 1, fresh for each call.
  ///   - attempts: of all slots; on the clock of `now`.
  mutating func handle(
    _ event: Event, at now: Duration, random: Double, attempts: inout AttemptLimiter
  ) -> [Action] {
    if case .thawed(let since) = event { standStill(since: since, until: now) }
    let moment = Moment(now: now, reading: clock.time(at: now), random: random)
    noteHealth(at: now)
    let actions: [Action]
    switch phase {
    case .idle: actions = begin(event)
    case .running: actions = apply(event, at: moment)
    case .ending(let ending): return goOn(ending, event, at: moment)
    case .finished: return []
    }
    return actions + settle(at: moment, &attempts)
  }

  /// Nobody is blamed for what lay unread while the process did not run.
  private mutating func standStill(since: Duration, until now: Duration) {
    guard !clock.isPaused else { return }
    clock.pause(at: since)
    clock.resume(at: now)
  }

  private mutating func noteHealth(at now: Duration) {
    guard let openSince, now - openSince >= limits.healthyAfter else { return }
    failures.reset()
    hasReconnectedAtOnce = false
  }

  // MARK: Events

  private mutating func begin(_ event: Event) -> [Action] {
    switch event {
    case .started: phase = .running
    case .stopped, .retired:
      phase = .finished
      return [.finished]
    default: break
    }
    return []
  }

  private mutating func apply(_ event: Event, at moment: Moment) -> [Action] {
    switch event {
    case .started, .timer: return []
    case .opened(let id, let utc): opened(id, utc, at: moment)
    case .arrived(let id): change(id) { $0.liveness.arrived() }
    case .rejected(let id, let messages): return rejected(messages, by: id, at: moment)
    case .answered(let id):
      change(id) { $0.liveness.arrived() }
      if case .open(let link) = current, link.id == id { gaps.proven() }
    case .data(let id, let utc, let lag): return received(utc, lag, from: id, at: moment)
    case .compared(let standing): standby?.note(standing, at: moment.now, limits)
    case .shutdownAnnounced(let id): change(id) { $0.isLeaving = true }
    case .rotate(let listChanged): return rotate(listChanged ? .listChanged : .requested, at: moment)
    case .ended(let id, let cause): return ended(id, cause, at: moment)
    case .paused: clock.pause(at: moment.now)
    case .resumed:
      if gaps.readAgain(after: clock.resume(at: moment.now), at: moment.reading) { hurry(at: moment) }
    case .thawed: thawed(at: moment)
    case .stopped: return end(within: limits.stopping, at: moment.now)
    case .retired: return end(within: limits.draining, at: moment.now)
    }
    return []
  }

  private mutating func opened(_ id: ConnectionID, _ utc: Int64, at moment: Moment) {
    let link = Link(id, openedAtUTC: utc, at: moment, limits: limits)
    if case .opening(id, _) = current {
      current = .open(link)
      openSince = moment.now
      silence = freshSilence(at: moment)
    } else if case .opening(id, _) = standby?.state {
      standby?.state = .open(link)
    }
  }

  /// Messages that are no ticks may stand in the place of some.
  private mutating func rejected(_ messages: Int, by id: ConnectionID, at moment: Moment) -> [Action] {
    var isBabble = false
    change(id) { isBabble = $0.rejected(messages) }
    guard isBabble, case .open(let link) = current, link.id == id else { return [] }
    return gaps.lost(.stale)
  }

  private mutating func thawed(at moment: Moment) {
    gaps.thawed(at: moment.reading)
    hurry(at: moment)
  }

  /// A connection that is dead by now is to be found out soon, and one that is not, too.
  private mutating func hurry(at moment: Moment) {
    if case .open(var link) = current {
      link.liveness.hurry(at: moment.reading)
      current = .open(link)
    }
    if case .open(var link) = standby?.state {
      link.liveness.hurry(at: moment.reading)
      standby?.state = .open(link)
    }
  }

  func freshSilence(at moment: Moment) -> Silence {
    Silence(interval: limits.staleAfter, mostDoublings: limits.staleDoublings, since: moment.reading)
  }

  private mutating func change(_ id: ConnectionID, _ body: (inout Link) -> Void) {
    if case .open(var link) = current, link.id == id {
      body(&link)
      current = .open(link)
    } else if case .open(var link) = standby?.state, link.id == id {
      body(&link)
      standby?.state = .open(link)
    }
  }

  /// Data that comes while the last streams are being subscribed ends no gap: there is one until all are.
  private mutating func received(
    _ utc: Int64, _ lag: Duration, from id: ConnectionID, at moment: Moment
  ) -> [Action] {
    guard isKnown(id) else { return [] }
    change(id) { $0.received(at: utc, lag: lag, moment) }
    guard case .open(let link) = current, link.id == id else { return [] }
    silence.broken(at: moment.reading)
    standby?.notePrimarySpoke(at: moment)
    return gaps.data(at: utc, lag: lag, moment.reading) + endProbe(at: moment)
  }

  private func isKnown(_ id: ConnectionID) -> Bool {
    switch current {
    case .open(let link) where link.id == id: return true
    case .opening(id, _): return true
    default: return standby?.id == id || draining?.id == id
    }
  }

  private mutating func ended(_ id: ConnectionID, _ cause: Gap.Cause, at moment: Moment) -> [Action] {
    if draining?.id == id {
      draining = nil
      return []
    }
    if standby?.id == id { return standbyLost(id, at: moment) }
    switch current {
    case .opening(id, _): return refused(at: moment)
    case .open(let link) where link.id == id: return lost(cause, at: moment)
    default: return []
    }
  }

  // MARK: Losses

  /// The current connection is gone. If another one is on its way or there, that one goes on.
  mutating func lost(_ cause: Gap.Cause, atOnce: Bool = false, at moment: Moment) -> [Action] {
    switch standby?.state {
    case .open(let standby):
      // Had it caught up, it would have taken over.
      return gaps.lost(cause, since: standby.opened.utc) + takeOver(standby, at: moment)
    case .opening(let id, let until):
      standby = nil
      if let openSince { failures.recover(for: moment.now - openSince) }
      openSince = nil
      current = .opening(id, until: until)
      return gaps.lost(cause) + [.release]
    case .wanted, nil:
      standby = nil
      wait(atOnce: atOnce, at: moment)
      return gaps.lost(cause)
    }
  }

  mutating func refused(at moment: Moment) -> [Action] {
    wait(atOnce: false, at: moment)
    return gaps.lost(.refused)
  }

  /// Waits as long as back-off says, or not at all: a dead connection has cost half a minute already. That is
  /// done once, and again after a healthy time.
  private mutating func wait(atOnce: Bool, at moment: Moment) {
    if let openSince { failures.recover(for: moment.now - openSince) }
    openSince = nil
    if atOnce, !hasReconnectedAtOnce {
      hasReconnectedAtOnce = true
      current = .waiting(until: moment.now)
    } else {
      current = .waiting(until: moment.now + failures.next(random: moment.random))
    }
  }

  /// The standby becomes the current connection; what had been the current one is the caller's to end.
  mutating func takeOver(_ link: Link, at moment: Moment) -> [Action] {
    current = .open(link)
    standby = nil
    silence = freshSilence(at: moment)
    guard let first = link.unbrokenSince, let last = link.completeUntil else { return [.release] }
    return gaps.tookOver(first: first.utc, last: last, moment.reading) + [.release]
  }
}
