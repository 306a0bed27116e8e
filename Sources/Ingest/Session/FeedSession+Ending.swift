/// The way out: `stopped` or `retired`.
extension FeedSession {
  /// True since the end was asked for.
  var isEnding: Bool {
    switch phase {
    case .idle, .running: false
    case .ending, .finished: true
    }
  }

  mutating func end(within limit: Duration, at now: Duration) -> [Action] {
    var ending = Ending(left: [], until: now + limit)
    var actions: [Action] = []
    if let draining { ending.left.insert(draining.id) }
    switch current {
    case .waiting: break
    case .opening(let id, _): actions.append(.abandon(id))
    case .open(let link):
      actions.append(.close(link.id))
      ending.left.insert(link.id)
      ending.current = link.id
    }
    switch standby?.state {
    case .wanted, nil: break
    case .opening(let id, _): actions.append(.abandon(id))
    case .open(let link):
      actions.append(.close(link.id))
      ending.left.insert(link.id)
    }
    return actions + goOn(ending)
  }

  mutating func goOn(_ ending: Ending, _ event: Event, at moment: Moment) -> [Action] {
    var ending = ending
    var actions: [Action] = []
    switch event {
    case .ended(let id, _): ending.left.remove(id)
    case .data(let id, let utc, let lag) where ending.left.contains(id) && id == ending.current:
      actions = gaps.data(at: utc, lag: lag, moment.reading)
    case .paused: clock.pause(at: moment.now)
    case .resumed: _ = gaps.readAgain(after: clock.resume(at: moment.now), at: moment.reading)
    case .thawed: gaps.thawed(at: moment.reading)
    case .stopped: ending.until = min(ending.until, moment.now + limits.stopping)
    default: break
    }
    if moment.now >= ending.until {
      actions += ending.left.sorted { $0.number < $1.number }.map { .abandon($0) }
      ending.left = []
    }
    return actions + goOn(ending)
  }

  private mutating func goOn(_ ending: Ending) -> [Action] {
    phase = ending.left.isEmpty ? .finished : .ending(ending)
    return ending.left.isEmpty ? [.finished] : []
  }
}
