import Base
import WAL

/// The decisions of one slot: those of its session about whole connections, and what it makes of what they deliver,
/// stream by stream. It joins what two of them bring, and says which gaps begin and end.
///
/// A pure value: events go in, ``takeActions()`` gives what is to be done, in its order. Handing over from one
/// connection to the next is in `SlotDecisions+Handover`, ids are in `SlotDecisions+Sequences`, what goes in and comes
/// out in `SlotDecisions+Actions`.
struct SlotDecisions: Sendable {
  typealias ConnectionID = FeedSession.ConnectionID

  let id: SlotID
  let rules: Rules
  private(set) var streams: [String]
  var connections: [ConnectionID: SlotConnection] = [:]
  var session: FeedSession
  var overlap: Overlap
  var pair: Pair?
  /// The track of the connections that were in use before.
  var past = StreamTrack()
  var streamGaps: StreamGaps
  var sequences = SequenceGaps()
  private(set) var namedGaps = NamedGaps()
  /// The gap that the session has begun and not ended.
  private(set) var openGap: OpenGaps?
  /// Microseconds UTC: how far the log knows that nothing is missing, as this run has told it.
  private var watermark: Int64?
  /// On the clock that stands still while sockets are not read.
  private var lastTickAt: Duration?
  /// Microseconds UTC: when the connection in use has delivered its last ticks.
  private(set) var inUseReceivedAt = Int64.min
  /// The next attempt as it was told last.
  private var toldAttempt: Duration?
  private var actions: [Action] = []
  private var isOver = false

  /// - Parameters:
  ///   - isCovered: an open gap of an earlier run names all of the streams.
  ///   - utc: microseconds UTC.
  init(_ id: SlotID, streams: [String], isCovered: Bool, rules: Rules, startedAt utc: Int64) {
    self.id = id
    self.streams = streams
    self.rules = rules
    overlap = Overlap(limits: rules.overlap)
    streamGaps = StreamGaps(quietAfter: rules.session.staleAfter)
    session = FeedSession(
      startedAt: utc, isCovered: isCovered, limits: rules.session, backoff: rules.backoff)
  }

  /// The actions decided upon since they were last taken, in their order.
  mutating func takeActions() -> [Action] {
    defer { actions = [] }
    return actions
  }

  // MARK: State

  /// Microseconds UTC: up to then nothing is missing that no gap speaks of.
  var lastDataAt: Int64 {
    min(session.lastDataAt, streamGaps.watermark ?? .max, sequences.watermark ?? .max)
  }

  /// The moment in which ``timerFired(at:_:)`` is wanted, on the monotonic clock.
  var deadline: Duration? {
    let others = Self.earlier(
      overlap.deadline, Self.earlier(streamGaps.deadline, sequencesDeadline))
    return Self.earlier(session.deadline, others.flatMap { session.clock.moment(of: $0) })
  }

  /// The time on the clock that stands still while sockets are not read: nothing that lies unread is late, or missing.
  func reading(at moment: Moment) -> Duration { session.clock.time(at: moment.now) }

  private static func earlier(_ one: Duration?, _ other: Duration?) -> Duration? {
    guard let one, let other else { return one ?? other }
    return min(one, other)
  }

  /// The connection whose data counts, once its server is reached.
  var current: ConnectionID? {
    connections.first { $1.part == .inUse && $1.isReached && !$1.isDraining }?.key
  }

  /// Streams of the list that are granted to the connection in use, once it is open.
  var grantedStreams: [String] {
    guard let connection = current.flatMap({ connections[$0] }), connection.isOpen else { return [] }
    if !rules.subscribes { return streams }
    let granted = Set(connection.granted)
    return streams.filter { granted.contains($0) }
  }

  /// Streams of the list that the exchange has refused to the connection in use.
  var refusedStreams: [String] {
    guard let refused = current.flatMap({ connections[$0]?.refused }), !refused.isEmpty else { return [] }
    return streams.filter { refused[$0] != nil }
  }

  /// The streams that a connection made now subscribes to.
  private var subscriptions: [String] { rules.subscribes ? streams : [] }

  // MARK: Events

  /// Something that is the session's alone to decide upon.
  mutating func handle(
    _ event: FeedSession.Event, at moment: Moment, _ attempts: inout AttemptLimiter
  ) {
    decide(event, at: moment, &attempts)
  }

  mutating func stop(at moment: Moment, _ attempts: inout AttemptLimiter) {
    let time = reading(at: moment)
    submit(gaps: streamGaps.runEnds(at: current.flatMap { connections[$0]?.heardUntil(time) } ?? time))
    decide(.stopped, at: moment, &attempts)
  }

  /// - Parameter resubscribes: false if the connection does not depend on the list, which only names gaps.
  mutating func change(
    to streams: [String], resubscribes: Bool, at moment: Moment, _ attempts: inout AttemptLimiter
  ) {
    sequences.begin(Array(Set(streams).subtracting(self.streams)))
    self.streams = streams
    submit(gaps: streamGaps.setStreams(streams, at: moment.utc))
    if resubscribes { decide(.rotate(listChanged: true), at: moment, &attempts) }
  }

  /// Takes over a gap of single streams that an earlier run left open.
  ///
  /// - Parameter isShared: another slot has taken it over, too.
  mutating func adopt(_ gap: Gap, isShared: Bool) {
    submit(gaps: streamGaps.adopt(gap, streams: streams, isShared: isShared))
  }

  /// The connection's server takes it; now it is opened there.
  mutating func reached(_ id: ConnectionID) { connections[id]?.isReached = true }

  /// The connection is open, and there is a verdict on each of its streams.
  mutating func opened(_ id: ConnectionID, at moment: Moment, _ attempts: inout AttemptLimiter) {
    let time = reading(at: moment)
    connections[id]?.openedAt = time
    if id == pair?.standby {
      overlap.standbyOpened(at: time)
    } else {
      streamGaps.granted(connections[id]?.granted ?? [], at: moment.utc, now: time)
      doubt([], on: id, since: moment.utc, at: time)
    }
    decide(.opened(id, at: moment.utc), at: moment, &attempts)
    compare(at: moment, &attempts)
  }

  /// The exchange has granted or refused streams on a connection.
  mutating func judged(
    _ verdict: Subscriptions.Verdict, by id: ConnectionID, at moment: Moment,
    _ attempts: inout AttemptLimiter
  ) {
    switch verdict {
    case .granted(let streams):
      connections[id]?.grant(streams, at: moment.utc)
      guard id == current else { break }
      streamGaps.granted(streams, at: moment.utc, now: reading(at: moment))
      // Refused at first, they have not shown yet that they are there.
      if connections[id]?.isOpen == true { doubt([], on: id, since: moment.utc, at: reading(at: moment)) }
    case .refused(let streams, let failure, _):
      connections[id]?.refuse(streams, detail: failure?.detail)
      if id == current {
        submit(
          gaps: streamGaps.refused(streams, since: missingSince(id, at: moment), detail: failure?.detail))
      }
    case .said: break
    }
    compare(at: moment, &attempts)
  }

  /// The time since which streams may be missing that the exchange refuses now, in microseconds UTC. Those of the first
  /// connection of a run are from its start on: a refusal takes its time, or is none at all, while the streams of
  /// other requests deliver. Later ones, and those before whose refusal a gap speaks of all streams, are from now on.
  private func missingSince(_ id: ConnectionID, at moment: Moment) -> Int64 {
    connections[id]?.isOpen == true || session.gaps.isNamingAll
      ? moment.utc : min(session.lastDataAt, moment.utc)
  }

  /// Notes when what a connection has delivered was made; to be asked before ``received(_:from:lag:ending:at:_:)``.
  mutating func noteTimes(
    of intake: Intake, from id: ConnectionID, at now: Duration
  ) -> (lag: Duration?, hasJumped: Bool) {
    connections[id]?.noteTimes(of: intake, at: now) ?? (nil, false)
  }

  /// A connection has delivered ticks, or what should be some.
  ///
  /// - Parameters:
  ///   - lag: how late it came; nil if that is not known.
  ///   - gaps: what ends with it besides.
  mutating func received(
    _ intake: Intake, from id: ConnectionID, lag: Duration?, ending gaps: [GapChange] = [],
    at moment: Moment, _ attempts: inout AttemptLimiter
  ) {
    let time = reading(at: moment)
    let missing = gapOfSurplus(intake, from: id)
    guard connections[id] != nil else {
      // It was given up in the same turn.
      var track = StreamTrack()
      track.note(intake, at: intake.receivedAt, into: &sequences, now: time)
      submit(intake, gaps: missing)
      if sequences.isChanged { settleSequences(at: time) }
      return
    }
    let passed = overlap.pass(intake, from: id, lag: lag, at: time)
    let lateness = lateness(of: intake, from: id, lag: lag, at: time)
    if !intake.ticks.isEmpty {
      lastTickAt = time
      if connections[id]?.part == .inUse { inUseReceivedAt = intake.receivedAt }
      connections[id]?.delivered(intake, lag: lateness, into: &sequences, at: time)
    }
    if connections[id]?.isOpen == true, !intake.ticks.isEmpty {
      decide(
        .data(id, receivedAt: intake.receivedAt, lag: lateness), handingOver: passed,
        ending: gaps + endsOfStreamGaps(intake, from: id) + missing, at: moment, &attempts)
      if intake.rejectedSince > 0 {
        decide(.rejected(id, messages: intake.rejectedSince), at: moment, &attempts)
      }
    } else {
      // Until each stream is subscribed, data says nothing about the others. What is no tick never does.
      decide(
        intake.ticks.isEmpty && !intake.rejected.isEmpty
          ? .rejected(id, messages: intake.rejectedSince) : .arrived(id),
        handingOver: passed, ending: missing, at: moment, &attempts)
    }
    if sequences.isChanged { settleSequences(at: time) }
    compare(at: moment, &attempts)
  }

  /// The lateness to be reckoned with. Where no more ticks follow in the same read, what is missing begins with the last
  /// of those that it brought, and a lag that is too small to count matters.
  private func lateness(
    of intake: Intake, from id: ConnectionID, lag: Duration?, at now: Duration
  ) -> Duration {
    guard intake.rejectedSince > 0, let since = connections[id]?.sinceDelivery(at: now) else {
      return lag ?? .zero
    }
    return max(lag ?? .zero, lag == nil ? since : min(since, rules.lateness))
  }

  private mutating func endsOfStreamGaps(_ intake: Intake, from id: ConnectionID) -> [GapChange] {
    // What drains, or is not in use yet, says nothing about the connection in use.
    let isLastOfRun = session.isEnding && connections[id]?.part == .inUse
    guard !streamGaps.isEmpty, id == current || isLastOfRun else { return [] }
    var delivered = intake.arrays
    intake.ticks.withTexts { _, name, _ in delivered.insert(String(decoding: name, as: UTF8.self)) }
    return streamGaps.delivered(delivered, at: intake.receivedAt)
  }

  /// The connection has ended or could not be opened. `cause` counts if it had been open.
  mutating func ended(
    _ id: ConnectionID, cause: Gap.Cause, at moment: Moment, _ attempts: inout AttemptLimiter
  ) {
    guard connections[id] != nil else { return }
    let rest = end(id, at: reading(at: moment))
    decide(.ended(id, cause: cause), handingOver: rest, at: moment, &attempts)
    settleSequences(at: reading(at: moment))
    if !isOver { actions.append(.connectionsChanged) }
  }

  /// ``deadline`` is reached. Too early or too often does no harm.
  mutating func timerFired(at moment: Moment, _ attempts: inout AttemptLimiter) {
    let now = reading(at: moment)
    if let deadline = overlap.deadline, deadline <= now { submit(overlap.expire(at: now)) }
    if let deadline = streamGaps.deadline, deadline <= now {
      let isDelivering = now - (lastTickAt ?? .zero) < rules.session.staleAfter
      submit(gaps: streamGaps.expire(at: now, isDelivering: isDelivering))
    }
    decide(.timer, at: moment, &attempts)
    if let deadline = sequencesDeadline, deadline <= now { settleSequences(at: now) }
    compare(at: moment, &attempts)
  }

  // MARK: Session

  /// - Parameters:
  ///   - intake: goes to the log with the gaps that the session begins or ends, and before anything that it
  ///     wants to be released.
  ///   - gaps: what ends besides.
  private mutating func decide(
    _ event: FeedSession.Event, handingOver intake: Intake = Intake(), ending gaps: [GapChange] = [],
    at moment: Moment, _ attempts: inout AttemptLimiter
  ) {
    guard !isOver else { return }
    let decided = session.handle(event, at: moment.now, random: moment.random, attempts: &attempts)
    var changes = gaps
    var gapEnd: Int64?
    for action in decided {
      if let change = gapChange(action) { changes.append(change) }
      if case .closeGap(let end) = action { gapEnd = end }
    }
    // What is released lies below the watermark, and comes later.
    let isReleasing = decided.contains(.release)
    submit(intake, gaps: intake.ticks.isEmpty || isReleasing ? changes : changes + newWatermark())
    for action in decided where !isOver { carryOut(action, gapUntil: gapEnd, at: moment) }
    if !isOver, session.nextAttempt != toldAttempt {
      toldAttempt = session.nextAttempt
      actions.append(.connectionsChanged)
    }
  }

  /// The watermark, if it has moved: there a gap begins if the process is killed now.
  private mutating func newWatermark() -> [GapChange] {
    let time = lastDataAt
    guard time != watermark else { return [] }
    watermark = time
    return [.watermark(id, time)]
  }

  private mutating func gapChange(_ action: FeedSession.Action) -> GapChange? {
    switch action {
    case .openGap(let startedAt, let cause):
      let gaps = OpenGaps()
      openGap = gaps
      return .open(startedAt: startedAt, cause: cause, streams: streams, detail: nil, gaps)
    case .closeGap(let endedAt):
      defer { openGap = nil }
      return openGap.map { .close(endedAt: endedAt, $0) }
    default: return nil
    }
  }

  /// - Parameter gapUntil: the end of the gap that the session ends just now, microseconds UTC.
  private mutating func carryOut(_ action: FeedSession.Action, gapUntil: Int64?, at moment: Moment) {
    switch action {
    case .connect(let id):
      connections[id] = SlotConnection(
        id == pair?.standby ? .standby : .inUse, carried: subscriptions, begunAt: moment.utc,
        lateness: rules.lateness)
      if id != pair?.standby, connections.count > 1 { overlap.beginTogether(Array(connections.keys)) }
      actions.append(.connect(id))
    case .beginOverlap(let primary, let standby):
      pair = Pair(primary: primary, standby: standby)
      let carried = connections[primary]?.carried ?? []
      submit(
        overlap.begin(
          primary: primary, standby: standby, single: Set(carried).symmetricDifference(subscriptions)))
    case .release:
      let gaps = takeOver(gapUntil: gapUntil, at: moment)
      submit(overlap.release(), gaps: gaps + newWatermark())
      actions.append(.connectionsChanged)
    case .ping(let id): actions.append(.ping(id))
    case .close(let id):
      connections[id]?.isDraining = true
      if id == pair?.standby { pair = nil }
      actions.append(.close(id))
    case .abandon(let id):
      actions.append(.abandon(id))
      submit(end(id, at: reading(at: moment)))
      settleSequences(at: reading(at: moment))
      actions.append(.connectionsChanged)
    case .report(let report): actions.append(.report(report))
    case .finished:
      // No connection is left that could deliver what is awaited. What lies between the last data of the one in use and
      // the first of one that was about to take over lies in the gap of the time until the next run.
      let end = max(session.lastDataAt, inUseReceivedAt)
      submit(gaps: streamGaps.runEnded(leavingGapFrom: end))
      namedGaps.noteEnd(from: end)
      settleSequences(at: reading(at: moment), isLast: true)
      isOver = true
      actions.append(.finished)
    case .openGap, .closeGap: break
    }
  }

  /// Gives ticks and gaps to the log, and remembers the gaps: what lies in one of them needs none for its ids.
  mutating func submit(_ intake: Intake = Intake(), gaps: [GapChange] = []) {
    guard !intake.isEmpty || !gaps.isEmpty else { return }
    namedGaps.note(gaps)
    actions.append(.submit(intake, gaps))
  }

  mutating func say(_ findings: [SequenceGaps.Finding]) {
    if !findings.isEmpty { actions.append(.found(findings)) }
  }
}
