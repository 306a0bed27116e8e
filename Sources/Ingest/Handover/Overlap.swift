import WAL

/// The one sequence of what two connections of a slot deliver: duplicates dropped, each stream in order.
///
/// The standby is opened beside the primary. Its ticks of a stream are held until the primary has delivered
/// the first of them; from then on both flow. No tick is dropped but a duplicate (``DuplicateMemory``): where
/// a bound is reached, ticks come out of order or twice. While nothing overlaps, `pass` gives back what it
/// got.
///
/// Pure. Times of `now` are of one monotonic clock.
struct Overlap: Sendable {
  typealias ConnectionID = FeedSession.ConnectionID

  struct Limits: Equatable, Sendable {
    /// Different ticks that are remembered, the newest ones: about 50 bytes each.
    var rememberedTicks = 262_144
    var heldBytes = 8 << 20
    /// The time for which a stream of the standby waits for the primary.
    var hold: Duration = .seconds(2)
    /// The time for which a connection's ticks are remembered after its end: the other one may be the slower.
    var linger: Duration = .seconds(10)
    /// A stream is active if the primary delivered it within this time; and so long one of the two may come after the
    /// other with a stream.
    var activity: Duration = .seconds(10)
    /// The same where no event says its time, so that nobody knows whether the primary lags.
    var blindActivity: Duration = .seconds(60)
    /// The time for which the standby must be open before it can have caught up: before, active streams are not known.
    var settling: Duration = .seconds(1)
    /// The pauses between two looks whether it has: after a change, and without one.
    var lookPause: Duration = .milliseconds(100)
    var idleLookPause: Duration = .seconds(1)
  }

  private struct Lane {
    var id: ConnectionID
    var deliveredAt: Duration?
    /// What it delivered last was late.
    var isLagging = false

    /// True if it may still deliver what was made before a moment.
    func mayOwe(since moment: Duration) -> Bool { isLagging || deliveredAt ?? .zero <= moment }
  }

  /// Ticks dropped so far.
  private(set) var duplicates = 0
  /// The finding of the last look. Caught up: each stream active on the primary has been seen on both, at least one of
  /// them, and nothing is held, which the primary may still be about to deliver.
  private(set) var standing = FeedSession.Standing()
  /// The number of looks.
  private(set) var looks = 0
  private let limits: Limits
  private var pair: OverlapPair?
  private var memory: DuplicateMemory
  private var lanes = [Lane?](repeating: nil, count: DuplicateMemory.lanes)
  private var held = HeldTicks()
  /// The end of the last connection that had delivered anything.
  private var endedAt: Duration?
  /// The moment in which what ended connections delivered may be forgotten.
  private var forgetsAt: Duration?

  init(limits: Limits = Limits()) {
    self.limits = limits
    memory = DuplicateMemory(limit: limits.rememberedTicks)
  }

  /// The moment in which ``expire(at:)`` is to be called.
  var deadline: Duration? {
    [held.deadline, forgetsAt, lookDeadline].compactMap(\.self).min()
  }

  // MARK: Events

  /// The standby is about to be connected.
  ///
  /// - Parameter single: streams that only one of the two subscribes to: the other is not waited for.
  /// - Returns: what was still held of an earlier standby.
  mutating func begin(
    primary: ConnectionID, standby: ConnectionID, single: Set<String> = []
  ) -> Intake {
    let rest = endPair()
    pair = OverlapPair(primary: primary, standby: standby, single: single, limits: limits)
    standing = .init()
    forgetsAt = nil
    for id in [primary, standby] where lane(of: id) == nil { beginLane(id) }
    return rest
  }

  /// A connection is made while others are not over yet, though none of them is in use: what they deliver until their
  /// end it delivers, too.
  mutating func beginTogether(_ ids: [ConnectionID]) {
    forgetsAt = nil
    for id in ids where lane(of: id) == nil { beginLane(id) }
  }

  mutating func standbyOpened(at now: Duration) {
    pair?.standbyOpened(at: now)
  }

  /// - Parameter lag: how late it came; nil if that is not known.
  /// - Returns: what is to be appended now; with the intake's messages and rejected input in any case.
  mutating func pass(
    _ intake: Intake, from id: ConnectionID, lag: Duration? = nil, at now: Duration
  ) -> Intake {
    guard let lane = lane(of: id) else { return intake }
    var result = Intake(
      rejected: intake.rejected, messages: intake.messages, receivedAt: intake.receivedAt)
    result.ticks.reserveCapacity(ticks: intake.ticks.count, bytes: intake.ticks.byteCount)
    let role = pair?.role(of: id) ?? .other
    // What is no tick says nothing of what is still owed.
    if !intake.ticks.isEmpty {
      lanes[lane]?.deliveredAt = now
      lanes[lane]?.isLagging = lag.map { $0 > .zero } == true
      if role == .primary { pair?.primaryLag = lag }
    }
    let primaryLane = pair.flatMap { self.lane(of: $0.primary) }
    intake.ticks.withTexts { entry, name, payload in
      let tick = Tick(entry: entry, texts: intake.ticks, key: TickKey(stream: name, payload: payload))
      // Without a number there are more streams than can be followed.
      guard role != .other, let stream = pair?.number(of: name) else {
        _ = append(tick, lane: lane, to: &result)
        return
      }
      if role == .primary {
        passPrimary(tick, stream: stream, lane: lane, at: now, into: &result)
      } else {
        passStandby(tick, stream: stream, lane: lane, primaryLane: primaryLane, at: now, into: &result)
      }
    }
    look(at: now)
    return result
  }

  /// The standby takes over: nothing is held any more.
  mutating func release() -> Intake { endPair() }

  /// A connection has ended, could not be opened, or was abandoned.
  mutating func ended(_ id: ConnectionID, at now: Duration) -> Intake {
    guard let lane = lane(of: id) else { return Intake() }
    let isOfPair = pair.map { $0.role(of: id) != .other } ?? false
    let rest = isOfPair ? endPair() : Intake()
    if lanes[lane]?.deliveredAt != nil { endedAt = now }
    lanes[lane] = nil
    switch lanes.count(where: { $0 != nil }) {
    case 0: forget()
    case 1: if let endedAt { forgetsAt = max(now, endedAt + limits.linger) } else { forget() }
    default: break
    }
    return rest
  }

  /// - Returns: what was held for long enough.
  mutating func expire(at now: Duration) -> Intake {
    var result = Intake()
    for stream in held.due(at: now) { flow(stream, into: &result) }
    result.noteNewest()
    if let forgetsAt, forgetsAt <= now {
      // One that lags is still about to deliver what the ended one has, and so may one that has been silent since.
      if lanes.contains(where: { $0?.mayOwe(since: endedAt ?? .zero) == true }) {
        self.forgetsAt = now + limits.linger
      } else {
        forget()
      }
    }
    look(at: now)
    return result
  }

  // MARK: Ticks

  private struct Tick {
    let entry: TickBatch.Entry
    let texts: TickBatch
    let key: TickKey
  }

  private mutating func passPrimary(
    _ tick: Tick, stream: Int, lane: Int, at now: Duration, into result: inout Intake
  ) {
    pair?.primaryDelivered(stream, at: now)
    // It is past what the standby began with, and never had it.
    if pair?.phase(of: stream) == .held, let time = tick.entry.eventTime,
      let first = held.firstEventTime(of: stream), time > first
    {
      flow(stream, into: &result)
    }
    if !append(tick, lane: lane, to: &result) { join(stream, by: tick, of: \.standby) }
    if pair?.phase(of: stream) == .held, held.isFirst(tick.key, of: stream) {
      pair?.join(stream)
      flow(stream, into: &result)
    }
  }

  private mutating func passStandby(
    _ tick: Tick, stream: Int, lane: Int, primaryLane: Int?, at now: Duration, into result: inout Intake
  ) {
    pair?.standbyDelivered(stream, at: now, utc: tick.entry.receivedAt)
    if pair?.phase(of: stream) == .awaited {
      let isKnown = primaryLane.map { memory.hasDelivered(tick.key, lane: $0) } ?? true
      pair?.begin(stream, as: isKnown ? .flowing : .held)
      if isKnown { join(stream, by: tick, of: \.primary) }
    }
    if pair?.phase(of: stream) == .held {
      held.add(tick.entry, of: tick.texts, key: tick.key, stream: stream, until: now + limits.hold)
      if held.byteCount > limits.heldBytes { flowAll(into: &result) }
    } else if !append(tick, lane: lane, to: &result) {
      join(stream, by: tick, of: \.primary)
    }
  }

  /// Notes that both have delivered a tick, if the other one really has: a third, which has ended meanwhile, may have
  /// been the first with it.
  private mutating func join(_ stream: Int, by tick: Tick, of other: KeyPath<OverlapPair, ConnectionID>) {
    guard let lane = pair.flatMap({ self.lane(of: $0[keyPath: other]) }), memory.isMet(tick.key, by: lane)
    else { return }
    pair?.join(stream)
  }

  /// - Returns: false if it was a duplicate.
  private mutating func append(_ tick: Tick, lane: Int, to result: inout Intake) -> Bool {
    // Alone, a connection only meets what the ended one delivered.
    guard memory.admit(tick.key, lane: lane, remembers: forgetsAt == nil) else {
      duplicates += 1
      return false
    }
    result.ticks.append(tick.entry, of: tick.texts)
    return true
  }

  /// Lets a stream of the standby go on.
  private mutating func flow(_ stream: Int, into result: inout Intake) {
    pair?.letFlow(stream)
    append(held.take(stream), to: &result)
  }

  private mutating func flowAll(into result: inout Intake) {
    let taken = held.takeAll()
    for tick in taken.ticks { pair?.letFlow(tick.stream) }
    append(taken, to: &result)
  }

  private mutating func append(_ taken: HeldTicks.Taken, to result: inout Intake) {
    guard let pair, let lane = lane(of: pair.standby) else { return }
    for tick in taken.ticks {
      _ = append(Tick(entry: tick.entry, texts: taken.texts, key: tick.key), lane: lane, to: &result)
    }
  }

  // MARK: State

  /// Streams that something may be missing of if the primary ends now.
  struct Unproven: Equatable, Sendable {
    /// The primary has delivered them since the standby was there, the standby has not.
    var lacking: [String] = []
    /// The standby has delivered them, the primary should have and has not: what it had missed before is unknown. With
    /// the time of the standby's first tick, microseconds UTC.
    var missedByPrimary: [String: Int64] = [:]

    var isEmpty: Bool { lacking.isEmpty && missedByPrimary.isEmpty }
  }

  /// To be asked before the pair ends.
  func unproven(at now: Duration) -> Unproven { pair?.unproven(at: now) ?? Unproven() }

  private var lookDeadline: Duration? { standing.isCaughtUp ? nil : pair?.lookDeadline }

  private mutating func look(at now: Duration) {
    guard !standing.isCaughtUp, pair?.mayLook(at: now) == true else { return }
    standing = pair?.look(isAnythingHeld: !held.isEmpty, at: now) ?? standing
    looks += 1
  }

  private mutating func endPair() -> Intake {
    var result = Intake()
    flowAll(into: &result)
    result.noteNewest()
    pair = nil
    return result
  }

  private func lane(of id: ConnectionID) -> Int? { lanes.firstIndex { $0?.id == id } }

  private mutating func beginLane(_ id: ConnectionID) {
    let isFree = { (lane: Lane?) in lane == nil }
    // A session has a third connection only while it drains: of that one less is to come than of the two of the pair,
    // and what comes twice does less harm than an end.
    let place =
      lanes.firstIndex(where: isFree)
      ?? lanes.firstIndex { lane in lane.map { pair?.role(of: $0.id) ?? .other } == .other } ?? 0
    lanes[place] = Lane(id: id)
    memory.begin(lane: place)
  }

  private mutating func forget() {
    memory.removeAll()
    for lane in lanes.indices { lanes[lane] = nil }
    endedAt = nil
    forgetsAt = nil
  }
}

extension Intake {
  /// For ticks that did not arrive just now.
  fileprivate mutating func noteNewest() {
    receivedAt = ticks.entries.map(\.receivedAt).max() ?? 0
  }
}
