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
  }

  var purpose: Purpose
  var state: State
  /// Since the standby was dialed, on the monotonic clock.
  private var primarySpokeAt: Duration?
  /// Since the standby is open.
  private var primarySpokeBeside = false
  private var isCaughtUp = false

  init(_ purpose: Purpose, notBefore: Duration) {
    self.purpose = purpose
    state = .wanted(notBefore: notBefore)
  }

  mutating func dialed(_ id: FeedSession.ConnectionID, openUntil limit: Duration) {
    state = .opening(id, until: limit)
    primarySpokeAt = nil
    primarySpokeBeside = false
    isCaughtUp = false
  }

  mutating func notePrimarySpoke(at now: Duration) {
    primarySpokeAt = now
    if case .open = state { primarySpokeBeside = true }
  }

  /// Of a primary that was silent of late it is said as well that the standby has caught up with it; that
  /// proves nothing.
  mutating func noteCaughtUp(at now: Duration, _ limits: FeedSession.Limits) {
    guard case .open = state, !isProbe else { return }
    isCaughtUp = isListChanged || primarySpokeAt.map { now - $0 < limits.activity } == true
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

  /// Whether the primary has delivered all there was until the standby was there.
  private var isPrimaryProven: Bool { primarySpokeBeside || isListChanged }

  /// When to decide; nil if there is nothing to decide yet.
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
    return link.opened.time + limits.overlap
  }

  func verdict(at time: Duration, _ limits: FeedSession.Limits, primarySilentAt: Duration) -> Verdict? {
    guard case .open(let link) = state, let due = verdictDue(limits, primarySilentAt: primarySilentAt)
    else { return nil }
    if isCaughtUp { return .takeOver }
    guard time >= due else { return nil }
    if link.firstData != nil { return isPrimaryProven ? .takeOver : .takeOverFromDeaf }
    if isProbe { return .nothingFound }
    return primarySpokeBeside && !isListChanged ? .successorSilent : .takeOver
  }
}
