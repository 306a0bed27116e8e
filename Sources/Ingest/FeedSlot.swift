import Base
import NIOCore
import NIOSSL
import WAL

/// One planned connection of the feed: carries out what its session decides, and joins what two connections
/// deliver while one takes over from the other.
///
/// Lives on the feed's event loop. Whatever it does to a connection, its session has said.
final class FeedSlot: FeedConnectionOwner {
  /// One connection, from the decision to connect until it is over: at most two at any time.
  enum Link {
    /// The attempt is being written to the log.
    case recording(FeedTarget)
    case dialing(Dial)
    case connected(FeedConnection)
    /// Closed by this side, and not by the server yet.
    case draining(FeedConnection)

    var connection: FeedConnection? {
      switch self {
      case .recording, .dialing: nil
      case .connected(let connection), .draining(let connection): connection
      }
    }

    /// The thing that it waits for, for a message about one that takes too long.
    var phase: String {
      switch self {
      case .recording: "the log"
      case .dialing(let dial): dial.phase
      case .connected(let connection), .draining(let connection): connection.phase
      }
    }
  }

  let id: SlotID
  private(set) var streams: [String]
  let feed: FeedDriver
  private var session: FeedSession
  private var overlap: Overlap
  private var countedDuplicates = 0
  /// The connection that is to take over, while two run side by side.
  private var standby: FeedSession.ConnectionID?
  private(set) var links: [FeedSession.ConnectionID: Link] = [:]
  /// The streams that each of them subscribes to; the list may have changed since.
  private(set) var carried: [FeedSession.ConnectionID: [String]] = [:]
  /// Those of them that the exchange has refused it, with its words as JSON if it said any.
  private(set) var refused: [FeedSession.ConnectionID: [String: String?]] = [:]
  /// The end of the gap that the session ends just now; microseconds UTC.
  private var gapEnd: Int64?
  /// When each was opened, on the monotonic clock.
  private var openedAt: [FeedSession.ConnectionID: Duration] = [:]
  /// When those were granted that it had been refused first; microseconds UTC.
  private var grantedLate: [FeedSession.ConnectionID: [String: Int64]] = [:]
  /// Up to when each has delivered everything; microseconds UTC.
  private var complete: [FeedSession.ConnectionID: Int64] = [:]
  private var paces: [FeedSession.ConnectionID: EventPace] = [:]
  private(set) var tracks: [FeedSession.ConnectionID: StreamTrack] = [:]
  var sequences = SequenceGaps()
  var namedGaps = NamedGaps()
  /// The connection that the standby is to replace, and what was unproven when it ended.
  private var primary: FeedSession.ConnectionID?
  private var unproven: Overlap.Unproven?
  /// The track of the connections that were in use before.
  private var past = StreamTrack()
  private var streamGaps: StreamGaps
  /// The gap that its session has begun and not ended.
  private(set) var openGap: OpenGaps?
  /// Microseconds UTC: how far the log knows that nothing is missing, as this run has told it.
  private var watermark: Int64?
  /// On the monotonic clock.
  private var lastTickAt: Duration?
  /// The addresses of those that are not open yet.
  private var remotes: [FeedSession.ConnectionID: SocketAddress] = [:]
  /// The last one that was dropped, and what it had been waiting for, at which address.
  private var abandoned: (id: FeedSession.ConnectionID, phase: String, remote: SocketAddress?)?
  /// The next attempt as it was counted last.
  private var toldAttempt: Duration?
  private var timer: (scheduled: Scheduled<Void>, at: Duration)?
  private var isOver = false

  init(id: SlotID, streams: [String], isCovered: Bool, feed: FeedDriver) {
    self.id = id
    self.streams = streams
    self.feed = feed
    overlap = Overlap(limits: feed.environment.overlap)
    streamGaps = StreamGaps(quietAfter: feed.environment.limits.staleAfter)
    session = FeedSession(
      startedAt: feed.environment.wallClock(), isCovered: isCovered, limits: feed.environment.limits,
      backoff: feed.environment.backoff)
  }

  // MARK: What the feed asks for

  func start() { handle(.started) }
  func stop() {
    submit(gaps: streamGaps.runEnds(at: feed.now))
    handle(.stopped)
  }
  func retire() { handle(.retired) }
  func rotate() { handle(.rotate(listChanged: false)) }
  func pause() { handle(.paused) }

  func resume() {
    handle(.resumed)
    for link in links.values { link.connection?.resume() }
  }

  /// - Parameter resubscribes: false if the connection does not depend on the list, which only names gaps.
  func change(to streams: [String], resubscribes: Bool) {
    sequences.begin(Array(Set(streams).subtracting(self.streams)))
    self.streams = streams
    submit(gaps: streamGaps.setStreams(streams, at: feed.environment.wallClock()))
    if resubscribes { handle(.rotate(listChanged: true)) }
  }

  /// Ends everything at once.
  func drop() {
    isOver = true
    timer?.scheduled.cancel()
    timer = nil
    for id in links.keys { sever(id) }
  }

  /// The process did not run since a time on the monotonic clock.
  func thawed(since time: Duration) { handle(.thawed(since: time)) }

  /// Takes over a gap of single streams that an earlier run left open.
  ///
  /// - Parameter isShared: another slot has taken it over, too.
  func adopt(_ gap: Gap, isShared: Bool) {
    submit(gaps: streamGaps.adopt(gap, streams: streams, isShared: isShared))
  }

  /// Gives up the gaps of single streams, for who goes on with them.
  func takeStreamGaps() -> [(gaps: OpenGaps, streams: [String])] { streamGaps.takeAll() }

  /// Microseconds UTC: up to then nothing is missing that no gap speaks of.
  var lastDataAt: Int64 {
    min(session.lastDataAt, streamGaps.watermark ?? .max, sequences.watermark ?? .max)
  }
  /// Streams of the list that are granted to the connection in use, once it is open.
  var grantedStreams: [String] {
    guard let current, links[current]?.connection?.hasOpened == true else { return [] }
    if feed.environment.endpoint.ownTarget != nil { return streams }
    let carried = Set(granted(by: current))
    return streams.filter { carried.contains($0) }
  }
  /// Streams of the list that the exchange has refused to the connection in use.
  var refusedStreams: [String] {
    guard let refused = current.flatMap({ refused[$0] }), !refused.isEmpty else { return [] }
    return streams.filter { refused[$0] != nil }
  }
  /// When it connects next, on the monotonic clock; nil unless it waits without a connection.
  var nextAttempt: Duration? { session.nextAttempt }

  /// The connection in use.
  private var current: FeedSession.ConnectionID? {
    links.keys.filter { id in
      if case .connected = links[id] { return id != standby }
      return false
    }.max { $0.number < $1.number }
  }
  var openConnections: Int { links.values.count { $0.connection?.hasOpened == true } }

  // MARK: Session

  /// - Parameters:
  ///   - intake: goes to the log with the gaps that the session begins or ends, and before anything that it
  ///     wants to be released.
  ///   - gaps: what ends besides.
  private func handle(
    _ event: FeedSession.Event, handingOver intake: Intake = Intake(), ending gaps: [GapChange] = []
  ) {
    guard !isOver else { return }
    let actions = feed.decide { random, now, attempts in
      session.handle(event, at: now, random: random, attempts: &attempts)
    }
    let changes = gaps + actions.compactMap(gapChange)
    // What is released lies below the watermark, and comes later.
    let isReleasing = actions.contains(.release)
    submit(intake, gaps: intake.ticks.isEmpty || isReleasing ? changes : changes + newWatermark())
    gapEnd = actions.compactMap { if case .closeGap(let end) = $0 { end } else { nil } }.last
    for action in actions where !isOver { perform(action) }
    if nextAttempt != toldAttempt {
      toldAttempt = nextAttempt
      feed.connectionsChanged()
    }
    setTimer()
  }

  /// The watermark, if it has moved: there a gap begins if the process is killed now.
  private func newWatermark() -> [GapChange] {
    let time = lastDataAt
    guard time != watermark else { return [] }
    watermark = time
    return [.watermark(id, time)]
  }

  private func gapChange(_ action: FeedSession.Action) -> GapChange? {
    switch action {
    case .openGap(let startedAt, let cause):
      let gaps = OpenGaps()
      openGap = gaps
      feed.counters.update { $0.gaps += 1 }
      return .open(startedAt: startedAt, cause: cause, streams: streams, detail: nil, gaps)
    case .closeGap(let endedAt):
      defer { openGap = nil }
      return openGap.map { .close(endedAt: endedAt, $0) }
    default: return nil
    }
  }

  private func perform(_ action: FeedSession.Action) {
    switch action {
    case .connect(let id): connect(id)
    case .beginOverlap(let primary, let standby):
      self.standby = standby
      self.primary = primary
      unproven = nil
      let single = Set(carried[primary] ?? []).symmetricDifference(subscriptions)
      feed.submit(overlap.begin(primary: primary, standby: standby, single: single))
    case .release:
      let gaps = takenOver(gapUntil: gapEnd)
      submit(overlap.release(), gaps: gaps + newWatermark())
      feed.connectionsChanged()
    case .ping(let id): links[id]?.connection?.ping()
    case .close(let id): close(id)
    case .abandon(let id): abandon(id)
    case .report(.openingTimedOut(let id)): openingTimedOut(id)
    case .report(let report): feed.report(report, of: self)
    case .finished:
      drop()
      feed.finished(self)
    case .openGap, .closeGap: break
    }
  }

  /// The standby has become the connection in use. What it may lack, or the old one may have missed, becomes gaps.
  ///
  /// - Parameter gapUntil: the end of a gap of all streams that the takeover ends, microseconds UTC.
  private func takenOver(gapUntil: Int64?) -> [GapChange] {
    guard let new = standby else { return [] }
    if let primary, let track = tracks[primary] {
      past.absorb(track)
    }
    let unproven = unproven ?? overlap.unproven(at: feed.now)
    let now = feed.environment.wallClock()
    let known = max(primary.flatMap { complete[$0] } ?? min(session.lastDataAt, now), gapUntil ?? .min)
    var changes = streamGaps.connectionEnded(
      at: feed.now, patience: gapUntil == nil ? .seconds(4) : .zero)
    (standby, primary, self.unproven) = (nil, nil, nil)
    forgetTracks()
    doubt(unproven.lacking, on: new, since: known)
    // What the new one was refused at first is there only since it was granted.
    let late = (grantedLate[new] ?? [:]).filter { $0.value > known }
    for (until, streams) in Dictionary(grouping: late, by: \.value) {
      changes += lost(streams.map(\.key).sorted(), from: known, until: until)
    }
    for (stream, until) in unproven.missedByPrimary.sorted(by: { $0.key < $1.key }) {
      let since = min(past.lastReceived(stream) ?? session.lastDataAt, until)
      changes += lost([stream], from: since, until: until)
    }
    for (detail, streams) in Dictionary(grouping: refused[new] ?? [:], by: \.value) {
      changes += streamGaps.refused(streams.map(\.key), since: known, detail: detail)
    }
    streamGaps.granted(granted(by: new), at: now, now: feed.now)
    return changes
  }

  /// A gap of streams that has ended already.
  private func lost(_ streams: [String], from start: Int64, until end: Int64) -> [GapChange] {
    let gaps = OpenGaps()
    feed.counters.update { $0.gaps += 1 }
    return [
      .open(startedAt: start, cause: .unsubscribed, streams: streams, detail: nil, gaps),
      .close(endedAt: end, gaps),
    ]
  }

  /// A connection is in use that has not shown yet that it has all streams of the one before.
  ///
  /// - Parameters:
  ///   - lacking: those that it lacks already.
  ///   - start: microseconds UTC: up to then the connections before had all, or a gap says what they had not.
  private func doubt(_ lacking: [String], on id: FeedSession.ConnectionID, since start: Int64) {
    var doubts: [String: StreamGaps.Doubt] = [:]
    for (stream, rhythm) in past.rhythms {
      doubts[stream] = .init(
        since: max(rhythm.lastReceived, start), patience: max(rhythm.silence, StreamGaps.patience),
        expected: max(rhythm.longestPause * 2, .seconds(1)))
    }
    for stream in lacking {
      doubts[stream] = .init(
        since: past.lastReceived(stream) ?? session.lastDataAt, patience: StreamGaps.patience)
    }
    let granted = Set(granted(by: id))
    // Not the names that the ticks of an array have: the array has a rhythm of its own.
    if !granted.isEmpty { doubts = doubts.filter { granted.contains($0.key) } }
    if let track = tracks[id] { doubts = doubts.filter { track.lastReceived($0.key) == nil } }
    streamGaps.doubt(doubts, at: openedAt[id] ?? feed.now)
  }

  private func granted(by id: FeedSession.ConnectionID) -> [String] {
    let refused = refused[id] ?? [:]
    return (carried[id] ?? []).filter { refused[$0] == nil }
  }

  private func forgetTracks() {
    for id in tracks.keys where links[id] == nil && id != primary {
      tracks[id] = nil
      paces[id] = nil
      complete[id] = nil
    }
    for id in grantedLate.keys where links[id] == nil { grantedLate[id] = nil }
    for id in openedAt.keys where links[id] == nil { openedAt[id] = nil }
  }

  /// Ends a connection's part in the overlap.
  /// - Parameter wasInUse: it was the connection in use, and did not drain after another one had taken over.
  private func endOverlap(of id: FeedSession.ConnectionID, wasInUse: Bool) -> Intake {
    if id == primary, standby != nil {
      unproven = overlap.unproven(at: feed.now)
    } else if id != standby, let track = tracks[id] {
      past.absorb(track)
    }
    if wasInUse {
      submit(gaps: streamGaps.connectionEnded(at: feed.now))
    }
    if id == standby { (standby, primary, unproven) = (nil, nil, nil) }
    defer { forgetTracks() }
    return overlap.ended(id, at: feed.now)
  }

  /// Leaves the timer alone where it fires early enough: most data only moves the deadline further away.
  func setTimer() {
    guard !isOver else { return }
    let others = earlier(streamGaps.deadline, sequences.deadline)
    guard let deadline = earlier(earlier(session.deadline, overlap.deadline), others) else { return }
    if let timer, timer.at <= deadline { return }
    timer?.scheduled.cancel()
    let pause = max(deadline - feed.now, .zero)
    timer = (feed.loop.scheduleTask(in: TimeAmount(pause)) { self.timerFired() }, deadline)
  }

  private func earlier(_ a: Duration?, _ b: Duration?) -> Duration? {
    guard let a, let b else { return a ?? b }
    return min(a, b)
  }

  private func timerFired() {
    timer = nil
    let now = feed.now
    if let deadline = overlap.deadline, deadline <= now { feed.submit(overlap.expire(at: now)) }
    if let deadline = streamGaps.deadline, deadline <= now {
      let isDelivering = now - (lastTickAt ?? .zero) < feed.environment.limits.staleAfter
      submit(gaps: streamGaps.expire(at: now, isDelivering: isDelivering))
    }
    handle(.timer)
    if let deadline = sequences.deadline, deadline <= now { settleSequences() }
    catchUp()
  }

  // MARK: Connections

  private func connect(_ id: FeedSession.ConnectionID) {
    links[id] = .recording(FeedTarget(endpoint: feed.environment.endpoint, streams: streams))
    carried[id] = subscriptions
    feed.recordAttempt { self.dial(id) }
  }

  private func dial(_ id: FeedSession.ConnectionID) {
    guard case .recording(let target) = links[id] else { return }
    // Asked for since the attempt was written down.
    if feed.isHeldBack {
      return lost(id, FeedError(.timedOut, "the exchange has asked for a pause"), cause: .refused)
    }
    let dial = Dial(feed.addresses, loop: feed.loop)
    links[id] = .dialing(dial)
    dial.start(feed.environment.endpoint) { result in
      switch result {
      case .success(let channel): self.reached(channel, id, target)
      case .failure(let error): self.lost(id, error, cause: .refused)
      }
    }
  }

  /// Only now do the handlers come in: several of the host's addresses may have been tried at once.
  private func reached(_ channel: any Channel, _ id: FeedSession.ConnectionID, _ target: FeedTarget) {
    let environment = feed.environment
    let connection = FeedConnection(
      id: id, endpoint: environment.endpoint, target: target, owner: self, limits: environment.exchange,
      wallClock: environment.wallClock)
    links[id] = .connected(connection)
    remotes[id] = channel.remoteAddress
    guard channel.isActive else {
      return lost(id, FeedError(.connectFailed, "the connection was closed at once"), cause: .refused)
    }
    do {
      if let security = environment.security {
        let name = environment.endpoint.isHostName ? environment.endpoint.host : nil
        try channel.pipeline.syncOperations.addHandler(
          NIOSSLClientHandler(context: security, serverHostname: name))
      }
      try channel.pipeline.syncOperations.addHandler(connection)
    } catch {
      channel.close(promise: nil)
      lost(id, FeedError(.connectFailed, NetworkTrouble.text(error)), cause: .refused)
    }
  }

  private func close(_ id: FeedSession.ConnectionID) {
    guard case .connected(let connection) = links[id] else { return }
    links[id] = .draining(connection)
    connection.close()
  }

  private func abandon(_ id: FeedSession.ConnectionID) {
    if let link = links[id] { abandoned = (id, link.phase, remotes[id]) }
    let wasInUse = id == current
    sever(id)
    feed.submit(endOverlap(of: id, wasInUse: wasInUse))
    settleSequences()
    feed.connectionsChanged()
  }

  private func openingTimedOut(_ id: FeedSession.ConnectionID) {
    let phase = abandoned?.id == id ? abandoned?.phase : nil
    if abandoned?.id == id, let remote = abandoned?.remote { feed.addresses.failed([remote]) }
    let limit = Figures.duration(feed.environment.limits.opening)
    feed.lost(
      FeedError(.timedOut, "not open after \(limit), still waiting for \(phase ?? "the server")"), of: self)
  }

  /// The streams that a connection made now subscribes to; none if its URL says them.
  private var subscriptions: [String] { feed.environment.endpoint.ownTarget == nil ? streams : [] }

  private func sever(_ id: FeedSession.ConnectionID) {
    carried[id] = nil
    refused[id] = nil
    remotes[id] = nil
    switch links.removeValue(forKey: id) {
    case .dialing(let dial): dial.abandon()
    case .connected(let connection), .draining(let connection): connection.abandon()
    case .recording, nil: break
    }
  }

  // MARK: What connections report

  var mayRead: Bool { feed.mayRead }
  func turned() { feed.turned() }

  func opened(_ connection: FeedConnection) {
    let id = connection.id
    openedAt[id] = feed.now
    if id == standby {
      overlap.standbyOpened(at: feed.now)
    } else {
      streamGaps.granted(granted(by: id), at: feed.environment.wallClock(), now: feed.now)
      doubt([], on: id, since: feed.environment.wallClock())
    }
    if let remote = remotes.removeValue(forKey: id) { feed.addresses.opened(remote) }
    let granted = subscriptions.isEmpty ? streams.count : granted(by: id).count
    feed.opened(connection, of: self, granted: granted)
    handle(.opened(connection.id, at: feed.environment.wallClock()))
    catchUp()
  }

  func received(_ intake: Intake, from connection: FeedConnection) {
    let id = connection.id
    let lag = noteTimes(of: intake, from: id)
    let missing = gapOfSurplus(intake, from: id)
    // Its turn may have ended this one.
    guard links[id] != nil else {
      noteRest(of: intake, from: id)
      return submit(intake, gaps: missing)
    }
    let passed = overlap.pass(intake, from: id, lag: lag, at: feed.now)
    feed.counters.update {
      $0.messages += intake.messages
      $0.duplicates += overlap.duplicates - countedDuplicates
      if !intake.ticks.isEmpty { $0.lastDataAt = intake.receivedAt }
    }
    countedDuplicates = overlap.duplicates
    if !intake.ticks.isEmpty {
      lastTickAt = feed.now
      let complete = intake.receivedAt - Int64((lag ?? .zero) / .microseconds(1))
      tracks[id, default: StreamTrack()].note(intake, at: complete, into: &sequences, now: feed.now)
      self.complete[id] = max(self.complete[id] ?? .min, complete)
    }
    if connection.hasOpened, !intake.ticks.isEmpty {
      handle(
        .data(id, receivedAt: intake.receivedAt, lag: lag ?? .zero), handingOver: passed,
        ending: feed.dataArrived(self, at: intake.receivedAt) + endsOfStreamGaps(intake, from: id) + missing)
    } else {
      // Until each stream is subscribed, data says nothing about the others. What is no tick never does.
      handle(
        intake.ticks.isEmpty && !intake.rejected.isEmpty ? .rejected(id) : .arrived(id),
        handingOver: passed, ending: missing)
    }
    if sequences.isChanged { settleSequences() }
    catchUp()
  }

  /// - Returns: how late it came; nil if no event of the connection ever said its time.
  private func noteTimes(of intake: Intake, from id: FeedSession.ConnectionID) -> Duration? {
    var newest = Int64.min
    for entry in intake.ticks.entries {
      if let time = entry.eventTime, time > newest { newest = time }
    }
    var pace = paces[id] ?? EventPace(tolerance: feed.environment.lateness)
    defer { paces[id] = pace }
    if intake.ticks.isEmpty { return nil }
    if newest == .min { return pace.isKnown ? pace.noteWithoutTime(at: feed.now) : nil }
    if pace.note(eventTime: newest, at: feed.now) { feed.eventsJumped() }
    return pace.lag
  }

  private func endsOfStreamGaps(_ intake: Intake, from id: FeedSession.ConnectionID) -> [GapChange] {
    // What drains, or is not in use yet, says nothing about the connection in use.
    guard !streamGaps.isEmpty, id == current else { return [] }
    var delivered = intake.arrays
    intake.ticks.withTexts { _, name, _ in delivered.insert(String(decoding: name, as: UTF8.self)) }
    return streamGaps.delivered(delivered, at: intake.receivedAt)
  }

  func arrived(_ connection: FeedConnection) { handle(.arrived(connection.id)) }
  func answered(_ connection: FeedConnection) { handle(.answered(connection.id)) }
  func serverWillClose(_ connection: FeedConnection) { handle(.shutdownAnnounced(connection.id)) }

  func judged(_ verdict: Subscriptions.Verdict, by connection: FeedConnection) {
    let id = connection.id
    switch verdict {
    case .granted(let streams):
      let now = feed.environment.wallClock()
      for stream in streams where refused[id]?.removeValue(forKey: stream) != nil {
        grantedLate[id, default: [:]][stream] = now
      }
      if id != standby {
        streamGaps.granted(streams, at: feed.environment.wallClock(), now: feed.now)
        setTimer()
      }
    case .refused(let streams, let failure, _):
      refused[id, default: [:]].merge(streams.map { ($0, failure?.detail) }) { $1 }
      if id != standby {
        let gaps = streamGaps.refused(
          streams, since: feed.environment.wallClock(), detail: failure?.detail)
        submit(gaps: gaps)
      }
    case .said: break
    }
    feed.judged(verdict, of: self)
    feed.connectionsChanged()
    catchUp()
  }

  func ended(_ connection: FeedConnection, _ reason: FeedError) {
    lost(connection.id, reason, cause: feed.lossCause)
  }

  /// Tells the session how the standby stands.
  private func catchUp() {
    guard let standby, links[standby]?.connection?.hasOpened == true, overlap.looks > 0 else { return }
    var standing = overlap.standing
    if let primary, let missing = refused[standby], !missing.isEmpty {
      let had = Set(granted(by: primary))
      standing.lacking += missing.keys.count { had.contains($0) }
    }
    handle(.compared(standing))
  }

  private func lost(_ id: FeedSession.ConnectionID, _ reason: FeedError, cause: Gap.Cause) {
    let wasInUse = id == current
    guard let link = links.removeValue(forKey: id) else { return }
    if let remote = remotes.removeValue(forKey: id), !reason.isAboutPace { feed.addresses.failed([remote]) }
    if case .draining = link {} else { feed.lost(reason, of: self) }
    let rest = endOverlap(of: id, wasInUse: wasInUse)
    handle(.ended(id, cause: cause), handingOver: rest)
    settleSequences()
    carried[id] = nil
    refused[id] = nil
    feed.connectionsChanged()
  }
}
