/// A second connection beside the current one, the leader: to replace it, or to see whether it is deaf.
struct Following: Equatable, Sendable {
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
    /// The leader had nothing where the follower had something.
    case takeOverFromDeaf
    case successorSilent
    case nothingFound
  }

  var purpose: Purpose
  var state: State
  /// Since the follower was dialed, on the monotonic clock.
  private var leaderSpokeAt: Duration?
  /// Since the follower is open.
  private var leaderSpokeBeside = false
  private var isCaughtUp = false

  init(_ purpose: Purpose, notBefore: Duration) {
    self.purpose = purpose
    state = .wanted(notBefore: notBefore)
  }

  mutating func dialed(_ id: FeedSession.ConnectionID, openUntil limit: Duration) {
    state = .opening(id, until: limit)
    leaderSpokeAt = nil
    leaderSpokeBeside = false
    isCaughtUp = false
  }

  mutating func noteLeaderSpoke(at now: Duration) {
    leaderSpokeAt = now
    if case .open = state { leaderSpokeBeside = true }
  }

  /// Of a leader that was silent of late it is said as well that the follower has caught up with it; that
  /// proves nothing.
  mutating func noteCaughtUp(at now: Duration, _ limits: FeedSession.Limits) {
    guard case .open = state, !isProbe else { return }
    isCaughtUp = isListChanged || leaderSpokeAt.map { now - $0 < limits.activity } == true
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

  /// Whether the leader has delivered all there was until the follower was there.
  private var isLeaderProven: Bool { leaderSpokeBeside || isListChanged }

  /// When to decide; nil if there is nothing to decide yet.
  ///
  /// - Parameter leaderSilentAt: when the leader has been silent for too long. As this, on the clock that stands
  ///   still while sockets are not read.
  func verdictDue(_ limits: FeedSession.Limits, leaderSilentAt: Duration) -> Duration? {
    guard case .open(let link) = state else { return nil }
    if isProbe {
      return link.firstData.map { $0.time + limits.staleGrace } ?? link.opened.time + limits.staleAfter
    }
    // The leader may be a little late with what the follower has delivered; then it is not deaf. One that has
    // been silent for long gets no more time than beside a probe.
    if let first = link.firstData, !isLeaderProven {
      return min(first.time + limits.overlap, max(first.time + limits.staleGrace, leaderSilentAt))
    }
    return link.opened.time + limits.overlap
  }

  func verdict(at time: Duration, _ limits: FeedSession.Limits, leaderSilentAt: Duration) -> Verdict? {
    guard case .open(let link) = state, let due = verdictDue(limits, leaderSilentAt: leaderSilentAt)
    else { return nil }
    if isCaughtUp { return .takeOver }
    guard time >= due else { return nil }
    if link.firstData != nil { return isLeaderProven ? .takeOver : .takeOverFromDeaf }
    if isProbe { return .nothingFound }
    return leaderSpokeBeside && !isListChanged ? .successorSilent : .takeOver
  }
}
