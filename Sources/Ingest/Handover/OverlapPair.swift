import WAL

/// The comparison of two connections of a slot that run side by side: which of their streams both have delivered, and
/// what one of the two lacks.
///
/// Pure; times of `now` are of one monotonic clock.
struct OverlapPair: Sendable {
  typealias ConnectionID = FeedSession.ConnectionID

  /// The way of a stream of the standby into the log.
  enum Phase {
    /// The standby has not delivered it.
    case awaited
    case held
    case flowing
  }

  enum Role { case primary, standby, other }

  private struct Stream {
    var phase = Phase.awaited
    /// A tick of it was seen on both, or never will be.
    var isJoined = false
    var primaryAt: Duration?
    /// The moment in which the primary first delivered what was made after the standby was subscribed.
    var owedByStandbyAt: Duration?
    /// The moment in which the standby first delivered it; microseconds UTC.
    var standbyAt: Duration?
    var standbyUTC: Int64 = 0
    /// The primary has delivered it since.
    var hasPrimaryFollowed = false
  }

  let primary: ConnectionID
  let standby: ConnectionID
  /// The lateness of the primary's last delivery; nil if none of its events said a time.
  var primaryLag: Duration?
  private let limits: Overlap.Limits
  /// Streams of one of the two alone.
  private let single: Set<String>
  private var table = StreamTable()
  private var streams: [Stream] = []
  /// The moment in which the standby was opened, and that of the next look; nil before.
  private var openedAt: Duration?
  private var mayLookAt: Duration?
  /// Something has changed since the last look.
  private var isChanged = true

  init(primary: ConnectionID, standby: ConnectionID, single: Set<String>, limits: Overlap.Limits) {
    (self.primary, self.standby, self.single, self.limits) = (primary, standby, single, limits)
  }

  func role(of id: ConnectionID) -> Role { id == primary ? .primary : id == standby ? .standby : .other }

  /// The stream's number here; nil if there are more streams than can be followed.
  mutating func number(of name: UnsafeRawBufferPointer) -> Int? {
    let number = table.number(of: name)
    if number == streams.count {
      let isSingle = !single.isEmpty && single.contains(String(decoding: name, as: UTF8.self))
      streams.append(isSingle ? Stream(phase: .flowing, isJoined: true) : Stream())
    }
    return number
  }

  func phase(of stream: Int) -> Phase { streams[stream].phase }

  // MARK: Events

  mutating func standbyOpened(at now: Duration) {
    guard openedAt == nil else { return }
    openedAt = now
    mayLookAt = now + limits.settling
  }

  mutating func primaryDelivered(_ stream: Int, at now: Duration) {
    streams[stream].primaryAt = now
    if streams[stream].standbyAt != nil {
      streams[stream].hasPrimaryFollowed = true
    } else if streams[stream].owedByStandbyAt == nil, let openedAt,
      now - (primaryLag ?? .zero) >= openedAt + limits.settling
    {
      streams[stream].owedByStandbyAt = now
    }
  }

  /// - Parameter utc: microseconds UTC.
  mutating func standbyDelivered(_ stream: Int, at now: Duration, utc: Int64) {
    guard streams[stream].standbyAt == nil else { return }
    streams[stream].standbyAt = now
    streams[stream].standbyUTC = utc
  }

  mutating func begin(_ stream: Int, as phase: Phase) { streams[stream].phase = phase }

  /// Nothing of the stream is held any more.
  mutating func letFlow(_ stream: Int) {
    streams[stream].phase = .flowing
    isChanged = true
  }

  /// Both have delivered the same tick of the stream.
  mutating func join(_ stream: Int) {
    guard !streams[stream].isJoined else { return }
    streams[stream].isJoined = true
    isChanged = true
  }

  // MARK: Looking

  var lookDeadline: Duration? {
    mayLookAt.map { isChanged ? $0 : $0 + limits.idleLookPause - limits.lookPause }
  }

  func mayLook(at now: Duration) -> Bool { mayLookAt.map { $0 <= now } ?? false }

  /// The standing of the two; the next look is a while later.
  mutating func look(isAnythingHeld: Bool, at now: Duration) -> FeedSession.Standing {
    isChanged = false
    mayLookAt = now + limits.lookPause
    let oldest = now - limits.activity
    var standing = FeedSession.Standing()
    var hasJoined = false
    var isActiveMissing = false
    for stream in streams {
      if stream.isJoined {
        hasJoined = true
        continue
      }
      if (stream.primaryAt ?? oldest) > oldest { isActiveMissing = true }
      if lacks(stream, at: now) {
        standing.lacking += 1
      } else if stream.standbyAt == nil {
        if stream.owedByStandbyAt != nil { standing.undecided += 1 }
      } else {
        if isOwed(stream, at: now) {
          standing.owed += 1
          if let at = stream.standbyAt, now - at >= limits.activity / 2 { standing.isLagging = true }
        } else if stream.hasPrimaryFollowed {
          standing.differing += 1
        }
      }
    }
    standing.isCaughtUp = !isAnythingHeld && hasJoined && !isActiveMissing && standing.lacking == 0
    return standing
  }

  func unproven(at now: Duration) -> Overlap.Unproven {
    var unproven = Overlap.Unproven()
    for (number, stream) in streams.enumerated() where !stream.isJoined {
      if stream.standbyAt == nil {
        if stream.owedByStandbyAt != nil { unproven.lacking.append(table.name(number)) }
      } else if !stream.hasPrimaryFollowed, !isOwed(stream, at: now) {
        unproven.missedByPrimary[table.name(number)] = stream.standbyUTC
      }
    }
    return unproven
  }

  /// True if the primary may still deliver what the standby began with.
  private func isOwed(_ stream: Stream, at now: Duration) -> Bool {
    guard let standbyAt = stream.standbyAt else { return false }
    let patience = primaryLag == nil ? limits.blindActivity : limits.activity
    return now - standbyAt < patience || primaryLag.map { $0 > .zero } == true
  }

  /// True if the standby has had time to deliver the stream and has not.
  private func lacks(_ stream: Stream, at now: Duration) -> Bool {
    !stream.isJoined && stream.standbyAt == nil
      && stream.owedByStandbyAt.map { now - $0 >= limits.activity } == true
  }
}
