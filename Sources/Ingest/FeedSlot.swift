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
  private enum Link {
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
  private let feed: FeedDriver
  private var session: FeedSession
  private var overlap: Overlap
  private var countedDuplicates = 0
  /// The connection that is to take over, while two run side by side.
  private var standby: FeedSession.ConnectionID?
  private var links: [FeedSession.ConnectionID: Link] = [:]
  /// The streams that each of them subscribes to; the list may have changed since.
  private var carried: [FeedSession.ConnectionID: [String]] = [:]
  /// The gap that its session has begun and not ended.
  private(set) var openGap: OpenGaps?
  /// Microseconds UTC: the first tick of this run, and how far the log knows that nothing is missing.
  private var firstTickAt: Int64?
  private var watermark: Int64?
  /// The addresses of those that are not open yet.
  private var remotes: [FeedSession.ConnectionID: SocketAddress] = [:]
  /// The last one that was dropped, and what it had been waiting for, at which address.
  private var abandoned: (id: FeedSession.ConnectionID, phase: String, remote: SocketAddress?)?
  private var timer: (scheduled: Scheduled<Void>, at: Duration)?
  private var isOver = false

  init(id: SlotID, streams: [String], isCovered: Bool, feed: FeedDriver) {
    self.id = id
    self.streams = streams
    self.feed = feed
    overlap = Overlap(limits: feed.environment.overlap)
    session = FeedSession(
      startedAt: feed.environment.wallClock(), isCovered: isCovered, limits: feed.environment.limits,
      backoff: feed.environment.backoff)
  }

  // MARK: What the feed asks for

  func start() { handle(.started) }
  func stop() { handle(.stopped) }
  func retire() { handle(.retired) }
  func rotate() { handle(.rotate(listChanged: false)) }
  func pause() { handle(.paused) }

  func resume() {
    handle(.resumed)
    for link in links.values { link.connection?.resume() }
  }

  /// - Parameter resubscribes: false if the connection does not depend on the list, which only names gaps.
  func change(to streams: [String], resubscribes: Bool) {
    self.streams = streams
    if resubscribes { handle(.rotate(listChanged: true)) }
  }

  /// Ends everything at once.
  func drop() {
    isOver = true
    timer?.scheduled.cancel()
    timer = nil
    for id in links.keys { sever(id) }
  }

  /// Microseconds UTC.
  var lastDataAt: Int64? { session.lastDataAt }
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
    feed.submit(intake, gaps: intake.ticks.isEmpty || isReleasing ? changes : changes + newWatermark())
    for action in actions where !isOver { perform(action) }
    setTimer()
  }

  /// The watermark, if it has moved: there a gap begins if the process is killed now. What comes before each
  /// stream is subscribed ends no gap, but the first of it is where the log begins.
  private func newWatermark() -> [GapChange] {
    guard let time = session.lastDataAt ?? firstTickAt, time != watermark else { return [] }
    watermark = time
    return [.watermark(id, time)]
  }

  private func gapChange(_ action: FeedSession.Action) -> GapChange? {
    switch action {
    case .openGap(let startedAt, let cause):
      let gaps = OpenGaps()
      openGap = gaps
      feed.counters.update { $0.gaps += 1 }
      return .open(startedAt: startedAt, cause: cause, streams: streams, gaps)
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
      let single = Set(carried[primary] ?? []).symmetricDifference(subscriptions)
      feed.submit(overlap.begin(primary: primary, standby: standby, single: single))
    case .release:
      standby = nil
      feed.submit(overlap.release(), gaps: newWatermark())
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

  /// Leaves the timer alone where it fires early enough: most data only moves the deadline further away.
  private func setTimer() {
    guard !isOver else { return }
    guard let deadline = earlier(session.deadline, overlap.deadline) else { return }
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
    handle(.timer)
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
    sever(id)
    if standby == id { standby = nil }
    feed.submit(overlap.ended(id, at: feed.now))
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
    remotes[id] = nil
    switch links.removeValue(forKey: id) {
    case .dialing(let dial): dial.abandon()
    case .connected(let connection), .draining(let connection): connection.abandon()
    case .recording, nil: break
    }
  }

  // MARK: What connections report

  var mayRead: Bool { feed.mayRead }

  func opened(_ connection: FeedConnection) {
    if connection.id == standby { overlap.standbyOpened(at: feed.now) }
    if let remote = remotes.removeValue(forKey: connection.id) { feed.addresses.opened(remote) }
    feed.opened(connection, of: self)
    handle(.opened(connection.id, at: feed.environment.wallClock()))
    catchUp()
  }

  func received(_ intake: Intake, from connection: FeedConnection) {
    let passed = overlap.pass(intake, from: connection.id, at: feed.now)
    feed.counters.update {
      $0.messages += intake.messages
      $0.duplicates += overlap.duplicates - countedDuplicates
      $0.lastDataAt = intake.receivedAt
    }
    countedDuplicates = overlap.duplicates
    firstTickAt = firstTickAt ?? intake.receivedAt
    if connection.hasOpened {
      handle(
        .data(connection.id, receivedAt: intake.receivedAt), handingOver: passed,
        ending: feed.dataArrived(self, at: intake.receivedAt))
    } else {
      // Until each stream is subscribed, data says nothing about the others.
      handle(.arrived(connection.id), handingOver: passed)
    }
    catchUp()
  }

  func arrived(_ connection: FeedConnection) { handle(.arrived(connection.id)) }
  func serverWillClose(_ connection: FeedConnection) { handle(.shutdownAnnounced(connection.id)) }

  func refused(_ streams: [String], _ failure: RequestAnswer.Failure, by connection: FeedConnection) {
    feed.refused(streams, failure, of: self)
  }

  func ended(_ connection: FeedConnection, _ reason: FeedError) {
    lost(connection.id, reason, cause: feed.lossCause)
  }

  private func catchUp() {
    guard let standby, links[standby]?.connection?.hasOpened == true, overlap.hasCaughtUp else { return }
    handle(.caughtUp)
  }

  private func lost(_ id: FeedSession.ConnectionID, _ reason: FeedError, cause: Gap.Cause) {
    guard let link = links.removeValue(forKey: id) else { return }
    carried[id] = nil
    if let remote = remotes.removeValue(forKey: id), !reason.isAboutPace { feed.addresses.failed([remote]) }
    if case .draining = link {} else { feed.lost(reason, of: self) }
    if standby == id { standby = nil }
    handle(.ended(id, cause: cause), handingOver: overlap.ended(id, at: feed.now))
    feed.connectionsChanged()
  }
}
