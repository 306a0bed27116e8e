import WAL

/// Replacing a connection that works, and looking whether a silent one is deaf.
extension FeedSession {
  mutating func rotate(_ reason: Report.Reason, at moment: Moment) -> [Action] {
    switch current {
    case .waiting: return []
    case .opening(let id, _):
      guard reason == .listChanged else { return [] }
      current = .waiting(until: moment.now)
      return [.abandon(id)]
    case .open(let link): return replace(link, reason, at: moment)
    }
  }

  /// One replacement at a time; a probe that is under way becomes one. A changed list makes either useless.
  private mutating func replace(_ link: Link, _ reason: Report.Reason, at moment: Moment) -> [Action] {
    switch following?.purpose {
    case .replacement where reason != .listChanged: return []
    case .probe where reason != .listChanged:
      following?.purpose = .replacement(reason)
      return [.report(.rotating(reason))]
    default:
      let dismissal = dismissFollower(at: moment)
      following = Following(
        .replacement(reason), notBefore: moment.now + pauseBeforeReplacing(link, reason, at: moment))
      return dismissal + [.report(.rotating(reason))]
    }
  }

  /// A server that announces the end of each new connection is not to be dialed all the time.
  private mutating func pauseBeforeReplacing(
    _ link: Link, _ reason: Report.Reason, at moment: Moment
  ) -> Duration {
    if reason == .shutdownAnnounced, moment.now - link.openedAt < limits.healthyAfter {
      return failedReplacements.next(random: moment.random)
    }
    failedReplacements.reset()
    return .zero
  }

  private mutating func dismissFollower(at moment: Moment) -> [Action] {
    defer { following = nil }
    switch following?.state {
    case .opening(let id, _): return [.abandon(id)]
    case .open(let link): return drain(link.id, at: moment)
    case .wanted, nil: return []
    }
  }

  /// Follower and draining connection exclude one another, so there is room for it.
  private mutating func drain(_ id: ConnectionID, at moment: Moment) -> [Action] {
    draining = Draining(id: id, until: moment.reading + limits.draining)
    return [.close(id)]
  }

  /// The leader has data after all.
  mutating func endProbe(at moment: Moment) -> [Action] {
    guard let following, following.isProbe else { return [] }
    let dismissal = dismissFollower(at: moment)
    return following.id == nil ? dismissal : dismissal + [.report(.marketWasQuiet)]
  }

  mutating func followerLost(_ id: ConnectionID, at moment: Moment) -> [Action] {
    let pause = tryAgainLater(at: moment)
    return [.report(.successorLost(id, nextAfter: pause))]
  }

  private mutating func probeInVain(at moment: Moment) -> [Action] {
    following = nil
    return [.report(.nothingFound(nextAfter: silence.nothingFound(at: moment.reading)))]
  }

  private mutating func tryAgainLater(at moment: Moment) -> Duration {
    let pause = failedReplacements.next(random: moment.random)
    following?.state = .wanted(notBefore: moment.now + pause)
    return pause
  }

  // MARK: What is due

  mutating func watchFollower(at moment: Moment) -> [Action] {
    switch following?.state {
    case .opening(let id, let until) where moment.reading >= until:
      return [.abandon(id), .report(.openingTimedOut(id))] + followerLost(id, at: moment)
    case .open(var link):
      let finding = link.liveness.look(at: moment.reading)
      following?.state = .open(link)
      switch finding {
      case .dead: return [.abandon(link.id), .report(.noAnswer(link.id))] + followerLost(link.id, at: moment)
      case .pingIsDue: return [.ping(link.id)] + judge(link, at: moment)
      case .nothing: return judge(link, at: moment)
      }
    case .opening, .wanted, nil: return []
    }
  }

  private mutating func judge(_ follower: Link, at moment: Moment) -> [Action] {
    guard case .open(let leader) = current,
      let verdict = following?.verdict(
        at: moment.reading, limits, leaderSilentAt: silence.isLongAt)
    else { return [] }
    switch verdict {
    case .takeOver:
      return takeOver(follower, at: moment) + drain(leader.id, at: moment) + [.report(.rotated(follower.id))]
    case .takeOverFromDeaf:
      return gaps.lost(.stale) + takeOver(follower, at: moment) + drain(leader.id, at: moment)
        + [.report(.subscriptionDead(leader.id))]
    case .successorSilent:
      _ = tryAgainLater(at: moment)
      return drain(follower.id, at: moment) + [.report(.successorSilent(follower.id))]
    case .nothingFound:
      return drain(follower.id, at: moment) + probeInVain(at: moment)
    }
  }

  /// Begins a replacement or a probe when it is time.
  mutating func reviewCurrent(at moment: Moment) -> [Action] {
    guard case .open(let link) = current, !clock.isPaused else { return [] }
    if link.isLeaving { return replace(link, .shutdownAnnounced, at: moment) }
    if moment.now >= link.replaceAt { return replace(link, .age, at: moment) }
    guard following == nil, moment.reading >= silence.due else { return [] }
    failedReplacements.reset()
    following = Following(.probe, notBefore: moment.now)
    return [.report(.silent(silence.length(at: moment.reading)))]
  }
}
