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
  /// Since the follower was dialed.
  private var leaderSpoke = false
  /// Since the follower is open.
  private var leaderSpokeBeside = false
  private var isCaughtUp = false

  init(_ purpose: Purpose, notBefore: Duration) {
    self.purpose = purpose
    state = .wanted(notBefore: notBefore)
  }

  mutating func dialed(_ id: FeedSession.ConnectionID, openUntil limit: Duration) {
    state = .opening(id, until: limit)
    leaderSpoke = false
    leaderSpokeBeside = false
    isCaughtUp = false
  }

  mutating func noteLeaderSpoke() {
    leaderSpoke = true
    if case .open = state { leaderSpokeBeside = true }
  }

  /// What was said of an overlap with a follower that is not open cannot be true.
  mutating func noteCaughtUp() {
    if case .open = state { isCaughtUp = true }
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

  /// Whether nothing can be missing when the leader ends now. Of a silent leader it is said as well that the
  /// follower has caught up with it; that proves nothing.
  var coversLeader: Bool { isCaughtUp && leaderSpoke }

  /// Whether the leader has delivered all there was until the follower was there.
  private var isLeaderProven: Bool { leaderSpokeBeside || coversLeader || isListChanged }

  /// On the clock that stands still while sockets are not read; nil if there is nothing to decide yet.
  func verdictDue(_ limits: FeedSession.Limits) -> Duration? {
    guard case .open(let link) = state else { return nil }
    if isProbe {
      return link.firstData.map { $0.time + limits.staleGrace } ?? link.opened.time + limits.staleAfter
    }
    // The leader may be a little late with what the follower has delivered; then it is not deaf.
    if let first = link.firstData, !isLeaderProven { return first.time + limits.overlap }
    return link.opened.time + limits.overlap
  }

  func verdict(at time: Duration, _ limits: FeedSession.Limits) -> Verdict? {
    guard case .open(let link) = state, let due = verdictDue(limits) else { return nil }
    if !isProbe, isCaughtUp, leaderSpoke || isListChanged { return .takeOver }
    guard time >= due else { return nil }
    if link.firstData != nil { return isLeaderProven ? .takeOver : .takeOverFromDeaf }
    if isProbe { return .nothingFound }
    return leaderSpokeBeside && !isListChanged ? .successorSilent : .takeOver
  }
}
