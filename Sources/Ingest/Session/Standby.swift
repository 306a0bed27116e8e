/// A second connection beside the current one, the primary: to replace it, or to see whether it is deaf.
struct Standby: Equatable, Sendable {
  enum Purpose: Equatable, Sendable {
    case probe
    case replacement(FeedSession.Report.Reason)
  }

  enum State: Equatable, Sendable {
    /// On the monotonic clock.
    case wanted(notBefore: Duration)
    /// On the clock that stands still while sockets are not read.
    case opening(FeedSession.ConnectionID, until: Duration)
    case open(Link)
  }

  enum Verdict: Equatable {
    case takeOver
    /// The primary had nothing where the standby had something.
    case takeOverFromDeaf
    case successorSilent
    case nothingFound
    /// The standby lacks streams: both stay for now.
    case lacks(streams: Int)
    /// It has lacked them for too long.
    case givenUp(streams: Int)
    /// It has, but soon there is no other.
    case kept
    /// The primary owes what the standby was not there for: both stay until it has delivered it.
    case predecessorLags
  }

  var purpose: Purpose
  var state: State
  /// Since the standby was dialed, on the monotonic clock.
  private var primarySpokeAt: Duration?
  /// Since the standby is open.
  private var primarySpokeBeside = false
  /// As this, on the clock that stands still while sockets are not read.
  private var primaryReadAt: Duration?
  private var standing = FeedSession.Standing()
  private var isCaughtUp = false
  /// Verdicts on this connection that are not to be said again.
  private var hasSaidLacking = false
  private var hasSaidLag = false
  private var isKept = false

  init(_ purpose: Purpose, notBefore: Duration) {
    self.purpose = purpose
    state = .wanted(notBefore: notBefore)
  }

  mutating func dialed(_ id: FeedSession.ConnectionID, openUntil limit: Duration) {
    state = .opening(id, until: limit)
    primarySpokeAt = nil
    primarySpokeBeside = false
    primaryReadAt = nil
    standing = .init()
    isCaughtUp = false
    hasSaidLacking = false
    hasSaidLag = false
    isKept = false
  }

  mutating func notePrimarySpoke(at moment: FeedSession.Moment) {
    primarySpokeAt = moment.now
    if case .open = state {
      primarySpokeBeside = true
      primaryReadAt = moment.reading
    }
  }

  /// True if the primary went on when the standby had stopped.
  private func hasStopped(_ link: Link, _ limits: FeedSession.Limits) -> Bool {
    guard let primaryReadAt, let last = link.lastDataAt, !isListChanged else { return false }
    return primaryReadAt - last > limits.activity
  }

  /// Of a primary that was silent of late it is said as well that the standby has caught up with it; that
  /// proves nothing.
  mutating func note(_ standing: FeedSession.Standing, at now: Duration, _ limits: FeedSession.Limits) {
    guard case .open = state else { return }
    self.standing = standing
    if isProbe { return }
    let hasPrimarySpoken = primarySpokeAt.map { now - $0 < limits.activity } == true
    isCaughtUp = standing.isCaughtUp && standing.lacking == 0 && (isListChanged || hasPrimarySpoken)
  }

  /// True if the two never delivered the same tick of streams that both have.
  var hasNothingInCommon: Bool { !isCaughtUp && standing.differing > 0 }

  mutating func noteSaid(_ verdict: Verdict) {
    switch verdict {
    case .lacks: hasSaidLacking = true
    case .predecessorLags: hasSaidLag = true
    case .kept: isKept = true
    case .takeOver, .takeOverFromDeaf, .successorSilent, .nothingFound, .givenUp: break
    }
  }

  /// Nil if there is no connection yet.
  var id: FeedSession.ConnectionID? {
    switch state {
    case .wanted: nil
    case .opening(let id, _): id
    case .open(let link): link.id
    }
  }

  var isProbe: Bool { purpose == .probe }

  /// With another list, who delivers and who does not says nothing about a connection.
  private var isListChanged: Bool { purpose == .replacement(.listChanged) }

  /// True if the primary has delivered all there was until the standby was there.
  private var isPrimaryProven: Bool { primarySpokeBeside || isListChanged }

  /// The moment to decide; nil if there is nothing to decide yet.
  ///
  /// - Parameter primarySilentAt: when the primary has been silent for too long. As this, on the clock that stands
  ///   still while sockets are not read.
  func verdictDue(_ limits: FeedSession.Limits, primarySilentAt: Duration) -> Duration? {
    guard case .open(let link) = state else { return nil }
    if isProbe {
      return link.firstData.map { $0.time + limits.staleGrace } ?? link.opened.time + limits.staleAfter
    }
    // The primary may be a little late with what the standby has delivered; then it is not deaf. One that has
    // been silent for long gets no more time than beside a probe.
    if let first = link.firstData, !isPrimaryProven {
      return min(first.time + limits.overlap, max(first.time + limits.staleGrace, primarySilentAt))
    }
    let due = link.opened.time + limits.overlap
    guard link.firstData != nil, !isCaughtUp else { return due }
    if standing.lacking > 0 {
      guard hasSaidLacking else { return due }
      return isKept ? nil : link.opened.time + limits.lacking
    }
    // Its next data says more.
    if standing.undecided > 0 { return nil }
    // Of a primary that says nothing any more nothing is to be expected.
    return standing.owed > 0 && (hasSaidLag || !standing.isLagging) ? max(due, primarySilentAt) : due
  }

  /// - Parameter isPrimaryEnding: soon there is no other connection than this one.
  func verdict(
    at time: Duration, _ limits: FeedSession.Limits, primarySilentAt: Duration, isPrimaryEnding: Bool
  ) -> Verdict? {
    guard case .open(let link) = state else { return nil }
    if isCaughtUp { return .takeOver }
    guard let due = verdictDue(limits, primarySilentAt: primarySilentAt), time >= due else { return nil }
    if link.firstData != nil {
      if isProbe || !isPrimaryProven { return .takeOverFromDeaf }
      if standing.lacking > 0 {
        let isTooLong = time >= link.opened.time + limits.lacking
        if isTooLong { return isPrimaryEnding ? .kept : .givenUp(streams: standing.lacking) }
        return hasSaidLacking ? nil : .lacks(streams: standing.lacking)
      }
      if standing.undecided > 0 { return nil }
      if standing.owed > 0, time >= primarySilentAt { return .takeOverFromDeaf }
      if standing.owed > 0 { return hasSaidLag || !standing.isLagging ? nil : .predecessorLags }
      return hasStopped(link, limits) ? .successorSilent : .takeOver
    }
    if isProbe { return .nothingFound }
    return primarySpokeBeside && !isListChanged ? .successorSilent : .takeOver
  }
}
