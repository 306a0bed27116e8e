import WAL

/// The effects of time. Everything that is due is done after each event, whichever it was.
extension FeedSession {
  mutating func settle(at moment: Moment, _ attempts: inout AttemptLimiter) -> [Action] {
    guard phase == .running else { return [] }
    // The standby before the current connection, which may become what it was. The review twice: a probe that
    // becomes a replacement may be at its end, and what takes over may have to be replaced.
    return watchDraining(at: moment) + reviewCurrent(at: moment) + watchStandby(at: moment)
      + watchCurrent(at: moment) + reviewCurrent(at: moment) + dial(at: moment, &attempts)
  }

  private mutating func watchDraining(at moment: Moment) -> [Action] {
    guard let draining, moment.reading >= draining.until else { return [] }
    self.draining = nil
    return [.abandon(draining.id)]
  }

  private mutating func watchCurrent(at moment: Moment) -> [Action] {
    switch current {
    case .opening(let id, let until) where moment.reading >= until:
      return [.abandon(id), .report(.openingTimedOut(id))] + refused(at: moment)
    case .open(var link):
      let finding = link.liveness.look(at: moment.reading)
      current = .open(link)
      switch finding {
      case .nothing: return []
      case .pingIsDue: return [.ping(link.id)]
      case .dead:
        return [.abandon(link.id), .report(.noAnswer(link.id))] + lost(.stale, atOnce: true, at: moment)
      }
    case .opening, .waiting: return []
    }
  }

  // MARK: Dialing

  private mutating func dial(at moment: Moment, _ attempts: inout AttemptLimiter) -> [Action] {
    switch current {
    case .waiting(let until):
      guard moment.now >= until else { return [] }
      let wait = attempts.wait(at: moment.now)
      guard wait == .zero else {
        current = .waiting(until: moment.now + wait)
        return heldBack(wait, attempts, at: moment)
      }
      let id = nextID(at: moment, &attempts)
      current = .opening(id, until: moment.reading + limits.opening)
      return [.connect(id)]
    case .open(let primary):
      guard let notBefore = standbyDue, moment.now >= notBefore else { return [] }
      let wait = attempts.wait(at: moment.now, isUrgent: false)
      guard wait == .zero else {
        standby?.state = .wanted(notBefore: moment.now + wait)
        return heldBack(wait, attempts, at: moment)
      }
      let id = nextID(at: moment, &attempts)
      standby?.dialed(id, openUntil: moment.reading + limits.opening)
      return [.beginOverlap(primary: primary.id, standby: id), .connect(id)]
    case .opening: return []
    }
  }

  /// The moment to dial the standby; not while sockets are not read, nor as long as a third connection is there.
  private var standbyDue: Duration? {
    guard case .wanted(let notBefore) = standby?.state, draining == nil, !clock.isPaused else { return nil }
    return notBefore
  }

  private mutating func nextID(at moment: Moment, _ attempts: inout AttemptLimiter) -> ConnectionID {
    attempts.record(at: moment.now)
    areAttemptsUsedUp = false
    lastNumber += 1
    return ConnectionID(number: lastNumber)
  }

  /// Said once, however often another slot comes first. Of a pause that the exchange asks for, whoever hears of it
  /// says so.
  private mutating func heldBack(
    _ wait: Duration, _ attempts: AttemptLimiter, at moment: Moment
  ) -> [Action] {
    guard !areAttemptsUsedUp, attempts.hold(at: moment.now) == .zero else { return [] }
    areAttemptsUsedUp = true
    return [.report(.attemptsUsedUp(wait: wait))]
  }

  // MARK: When

  /// The moment of the next attempt to connect, on the clock of `now`; nil unless it waits without a connection.
  var nextAttempt: Duration? {
    guard phase == .running, case .waiting(let until) = current else { return nil }
    return until
  }

  /// The moment in which `.timer` is wanted, on the clock of `now`.
  var deadline: Duration? {
    switch phase {
    case .idle, .finished: nil
    case .ending(let ending): ending.until
    case .running: Self.earliest(Self.earliest(currentDeadline, standbyDeadline), drainingDeadline)
    }
  }

  private var drainingDeadline: Duration? { draining.flatMap { clock.moment(of: $0.until) } }

  private var currentDeadline: Duration? {
    switch current {
    case .waiting(let until): return until
    case .opening(_, let until): return clock.moment(of: until)
    case .open(let link):
      guard !clock.isPaused else { return nil }
      let alive = clock.moment(of: link.liveness.deadline)
      let silent = standby == nil ? clock.moment(of: silence.due) : nil
      let old = standby == nil || standby?.isProbe == true ? link.replaceAt : nil
      return Self.earliest(Self.earliest(alive, silent), old)
    }
  }

  private var standbyDeadline: Duration? {
    guard case .open = current, let standby else { return nil }
    switch standby.state {
    case .wanted: return standbyDue
    case .opening(_, let until): return clock.moment(of: until)
    case .open(let link):
      let alive = clock.moment(of: link.liveness.deadline)
      let verdict = standby.verdictDue(limits, primarySilentAt: silence.isLongAt)
      return Self.earliest(alive, verdict.flatMap { clock.moment(of: $0) })
    }
  }

  private static func earliest(_ one: Duration?, _ other: Duration?) -> Duration? {
    guard let one, let other else { return one ?? other }
    return min(one, other)
  }
}
