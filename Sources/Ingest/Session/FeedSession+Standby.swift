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
    switch standby?.purpose {
    case .replacement where reason != .listChanged: return []
    case .probe where reason != .listChanged:
      standby?.purpose = .replacement(reason)
      return [.report(.rotating(reason))]
    default:
      let dismissal = dismissStandby(at: moment)
      standby = Standby(
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

  private mutating func dismissStandby(at moment: Moment) -> [Action] {
    defer { standby = nil }
    switch standby?.state {
    case .opening(let id, _): return [.abandon(id)]
    case .open(let link): return drain(link.id, at: moment)
    case .wanted, nil: return []
    }
  }

  /// Standby and draining connection exclude one another, so there is room for it.
  private mutating func drain(_ id: ConnectionID, at moment: Moment) -> [Action] {
    draining = Draining(id: id, until: moment.reading + limits.draining)
    return [.close(id)]
  }

  /// The primary has data after all.
  mutating func endProbe(at moment: Moment) -> [Action] {
    guard let standby, standby.isProbe else { return [] }
    let dismissal = dismissStandby(at: moment)
    return standby.id == nil ? dismissal : dismissal + [.report(.marketWasQuiet)]
  }

  mutating func standbyLost(_ id: ConnectionID, at moment: Moment) -> [Action] {
    let pause = tryAgainLater(at: moment)
    return [.report(.successorLost(id, nextAfter: pause))]
  }

  private mutating func probeInVain(at moment: Moment) -> [Action] {
    standby = nil
    return [.report(.nothingFound(nextAfter: silence.nothingFound(at: moment.reading)))]
  }

  private mutating func tryAgainLater(at moment: Moment) -> Duration {
    let pause = failedReplacements.next(random: moment.random)
    standby?.state = .wanted(notBefore: moment.now + pause)
    return pause
  }

  // MARK: What is due

  mutating func watchStandby(at moment: Moment) -> [Action] {
    switch standby?.state {
    case .opening(let id, let until) where moment.reading >= until:
      return [.abandon(id), .report(.openingTimedOut(id))] + standbyLost(id, at: moment)
    case .open(var link):
      let finding = link.liveness.look(at: moment.reading)
      standby?.state = .open(link)
      switch finding {
      case .dead: return [.abandon(link.id), .report(.noAnswer(link.id))] + standbyLost(link.id, at: moment)
      case .pingIsDue: return [.ping(link.id)] + judge(link, at: moment)
      case .nothing: return judge(link, at: moment)
      }
    case .opening, .wanted, nil: return []
    }
  }

  private mutating func judge(_ link: Link, at moment: Moment) -> [Action] {
    guard case .open(let primary) = current,
      let verdict = standby?.verdict(
        at: moment.reading, limits, primarySilentAt: silence.isLongAt,
        isPrimaryEnding: isEnding(primary, at: moment))
    else { return [] }
    standby?.noteSaid(verdict)
    switch verdict {
    case .takeOver where primary.liveness.isInDoubt:
      // Nobody will ever know whether it was dead, so what it may have missed is a gap.
      return gaps.lost(.stale) + takeOver(link, at: moment) + drain(primary.id, at: moment)
        + [.report(.noAnswer(primary.id)), .report(.rotated(link.id))]
    case .takeOver:
      let isTwice = standby?.hasNothingInCommon == true
      lackingReplacements.reset()
      let broken = link.isBroken(since: primary.completeUntil) ? gaps.lost(.stale) : []
      return broken + takeOver(link, at: moment) + drain(primary.id, at: moment)
        + [.report(.rotated(link.id))]
        + (isTwice ? [.report(.nothingInCommon(link.id))] : [])
    case .lacks(let streams): return [.report(.successorLacks(link.id, streams: streams))]
    case .givenUp(let streams):
      let pause = lackingReplacements.next(random: moment.random)
      standby?.state = .wanted(notBefore: moment.now + pause)
      return drain(link.id, at: moment)
        + [.report(.successorGivenUp(link.id, streams: streams, nextAfter: pause))]
    case .kept: return []
    case .predecessorLags: return [.report(.predecessorLags(primary.id))]
    case .takeOverFromDeaf:
      return gaps.lost(.stale) + takeOver(link, at: moment) + drain(primary.id, at: moment)
        + [.report(.subscriptionDead(primary.id))]
    case .successorSilent:
      _ = tryAgainLater(at: moment)
      return drain(link.id, at: moment) + [.report(.successorSilent(link.id))]
    case .nothingFound:
      return drain(link.id, at: moment) + probeInVain(at: moment)
    }
  }

  /// True if the exchange is about to end it: then a standby that lacks streams is better than none.
  private func isEnding(_ link: Link, at moment: Moment) -> Bool {
    link.isLeaving || moment.now >= link.openedAt + limits.connectionAge - limits.lastMinutes
  }

  /// Begins a replacement or a probe when it is time.
  mutating func reviewCurrent(at moment: Moment) -> [Action] {
    guard case .open(let link) = current, !clock.isPaused else { return [] }
    if link.isLeaving { return replace(link, .shutdownAnnounced, at: moment) }
    if moment.now >= link.replaceAt { return replace(link, .age, at: moment) }
    guard standby == nil, moment.reading >= silence.due else { return [] }
    failedReplacements.reset()
    standby = Standby(.probe, notBefore: moment.now)
    return [.report(.silent(silence.length(at: moment.reading)))]
  }
}
