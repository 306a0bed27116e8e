import WAL

/// One connection of a slot, from the decision to connect until it is over, with all that is known of it alone: what
/// ends with a connection is forgotten with this.
struct SlotConnection: Sendable {
  /// The part that it plays in the slot.
  enum Part: Equatable, Sendable {
    /// The only one, or the primary beside a standby: its data counts.
    case inUse
    /// Beside one in use; also after it was given up, until its end.
    case standby
    /// Another one has taken over from it; what it was like is known to the slot.
    case replaced
  }

  var part: Part
  /// Its server has been reached.
  var isReached = false
  /// The moment in which it was opened, on the clock that stands still while sockets are not read; nil before.
  var openedAt: Duration?
  /// Closed by this side, and not by the server yet.
  var isDraining = false
  /// The streams that it subscribes to, none if its URL says them; the list may have changed since.
  let carried: [String]
  /// The decision to connect, microseconds UTC: since then it is to have its streams.
  let begunAt: Int64
  /// Those of them that the exchange has refused it, with its words as JSON if it said any.
  private(set) var refused: [String: String?] = [:]
  /// The moments in which those were granted that it had been refused first; microseconds UTC.
  private(set) var grantedLate: [String: Int64] = [:]
  /// The time up to which it has delivered everything, microseconds UTC; nil before any tick.
  private(set) var completeUntil: Int64?
  private(set) var track = StreamTrack()
  private var pace: EventPace
  /// Milliseconds UTC: when its newest event was made, of those that say it.
  private var newestEventTime: Int64?
  /// On the clock that stands still while sockets are not read.
  private var deliveredAt: Duration?

  /// - Parameter lateness: see ``EventPace``.
  init(_ part: Part, carried: [String], begunAt: Int64, lateness: Duration) {
    self.part = part
    self.carried = carried
    self.begunAt = begunAt
    pace = EventPace(tolerance: lateness)
  }

  /// One that has delivered nothing for longer is not taken for one that lags.
  private static let mostSilence = Duration.seconds(60)

  var isOpen: Bool { openedAt != nil }
  /// The streams that it subscribes to and was not refused.
  var granted: [String] { refused.isEmpty ? carried : carried.filter { refused[$0] == nil } }

  /// - Parameter time: microseconds UTC.
  mutating func grant(_ streams: [String], at time: Int64) {
    for stream in streams where refused.removeValue(forKey: stream) != nil { grantedLate[stream] = time }
  }

  mutating func refuse(_ streams: [String], detail: String?) {
    refused.merge(streams.map { ($0, detail) }) { $1 }
  }

  /// Notes when the events of a delivery were made.
  ///
  /// - Returns: how late it came, nil if no event of the connection ever said its time; and whether event times have
  ///   jumped ahead of this machine's clock.
  mutating func noteTimes(of intake: Intake, at now: Duration) -> (lag: Duration?, hasJumped: Bool) {
    if intake.ticks.isEmpty { return (nil, false) }
    var newest = Int64.min
    var oldest = Int64.max
    for entry in intake.ticks.entries {
      guard let time = entry.eventTime else { continue }
      newest = max(newest, time)
      oldest = min(oldest, time)
    }
    if newest == .min { return (pace.isKnown ? pace.noteWithoutTime(at: now) : nil, false) }
    newestEventTime = max(newestEventTime ?? .min, newest)
    let hasJumped = pace.note(eventTime: newest, oldest: oldest, at: now)
    return (pace.lag, hasJumped)
  }

  /// Notes what it has delivered, some ticks at least.
  ///
  /// - Parameter sequences: get the ids.
  mutating func delivered(
    _ intake: Intake, lag: Duration, into sequences: inout SequenceGaps, at now: Duration
  ) {
    deliveredAt = now
    let complete = intake.receivedAt - lag.wholeMicroseconds
    track.note(intake, at: complete, into: &sequences, now: now)
    completeUntil = max(completeUntil ?? .min, complete)
  }

  /// The moment up to which its streams can be said to be overdue: without the time in which it was silent as a whole,
  /// which is in no rhythm of a stream either. A server that sends in bursts lets no stream be missed between them.
  func heardUntil(_ now: Duration) -> Duration {
    openedAt.map { min(now, $0 + track.activeTime(at: now)) } ?? now
  }

  /// The time since it delivered anything; nil before.
  func sinceDelivery(at now: Duration) -> Duration? { deliveredAt.map { now - $0 } }

  /// The prospect that it delivers ids of a stream, up to one.
  ///
  /// - Parameter time: the event after them was made then, milliseconds UTC; nil if that is not known.
  func prospect(
    of stream: String, upTo id: Int64, before time: Int64?, at now: Duration
  ) -> SequenceGaps.Prospect {
    guard canDeliver(stream, upTo: id) else { return .never }
    guard let time, let newestEventTime, let deliveredAt else { return .soon }
    return newestEventTime < time && now - deliveredAt < Self.mostSilence ? .late : .soon
  }

  private func canDeliver(_ stream: String, upTo id: Int64) -> Bool {
    guard isReached else { return false }
    if let last = track.lastID(stream) { return last < id }
    // One that is not open yet has asked for its streams, and what was refused is asked for again: what the server has
    // granted and sent since may lie unread.
    return carried.isEmpty || carried.contains(stream)
  }
}
