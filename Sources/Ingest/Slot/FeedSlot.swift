import Base
import NIOCore
import NIOSSL
import WAL

/// One planned connection of the feed: carries out what its decisions are, and tells them what its connections report.
///
/// Lives on the feed's event loop. Whatever it does to a connection, they have said.
final class FeedSlot: FeedConnectionOwner {
  /// One connection, from the decision to connect until it is over.
  private struct Link {
    enum Stage {
      /// The attempt is being written to the log.
      case recording(FeedTarget)
      case dialing(Dial)
      case connected(FeedConnection)
    }

    var stage: Stage
    /// The address of one that is not open yet.
    var remote: SocketAddress?

    var connection: FeedConnection? { if case .connected(let connection) = stage { connection } else { nil } }

    /// The thing that it waits for, for a message about one that takes too long.
    var phase: String {
      switch stage {
      case .recording: "the log"
      case .dialing(let dial): dial.phase
      case .connected(let connection): connection.phase
      }
    }
  }

  let id: SlotID
  private let feed: FeedDriver
  private var decisions: SlotDecisions
  private var links: [FeedSession.ConnectionID: Link] = [:]
  /// The last one that was dropped, and what it had been waiting for, at which address.
  private var abandoned: (id: FeedSession.ConnectionID, phase: String, remote: SocketAddress?)?
  private var countedDuplicates = 0
  /// Decided and not done yet.
  private var agenda: [SlotDecisions.Action] = []
  private var isCarryingOut = false
  private var timer: (scheduled: Scheduled<Void>, at: Duration)?
  private var isOver = false

  init(id: SlotID, streams: [String], isCovered: Bool, feed: FeedDriver) {
    self.id = id
    self.feed = feed
    let environment = feed.environment
    let rules = SlotDecisions.Rules(
      session: environment.limits, overlap: environment.overlap, backoff: environment.backoff,
      lateness: environment.lateness, subscribes: environment.endpoint.ownTarget == nil)
    decisions = SlotDecisions(
      id, streams: streams, isCovered: isCovered, rules: rules, startedAt: environment.wallClock())
  }

  // MARK: What the feed asks for

  func start() { tell(.started) }
  func stop() { decide { $0.stop(at: $1, &$2) } }
  func retire() { tell(.retired) }
  func rotate() { tell(.rotate(listChanged: false)) }
  func pause() { tell(.paused) }

  func resume() {
    tell(.resumed)
    for link in links.values { link.connection?.resume() }
  }

  /// - Parameter resubscribes: false if the connection does not depend on the list, which only names gaps.
  func change(to streams: [String], resubscribes: Bool) {
    decide { $0.change(to: streams, resubscribes: resubscribes, at: $1, &$2) }
  }

  /// Ends everything at once.
  func drop() {
    isOver = true
    timer?.scheduled.cancel()
    timer = nil
    for id in links.keys { sever(id) }
  }

  /// The process did not run since a time on the monotonic clock.
  func thawed(since time: Duration) { tell(.thawed(since: time)) }

  /// Takes over a gap of single streams that an earlier run left open.
  ///
  /// - Parameter isShared: another slot has taken it over, too.
  func adopt(_ gap: Gap, isShared: Bool) {
    decide { decisions, _, _ in decisions.adopt(gap, isShared: isShared) }
  }

  /// Gives up the gaps of single streams, for who goes on with them.
  func takeStreamGaps() -> [(gaps: OpenGaps, streams: [String])] { decisions.streamGaps.takeAll() }

  var streams: [String] { decisions.streams }
  var openGap: OpenGaps? { decisions.openGap }
  /// Microseconds UTC: up to then nothing is missing that no gap speaks of.
  var lastDataAt: Int64 { decisions.lastDataAt }
  var grantedStreams: [String] { decisions.grantedStreams }
  var refusedStreams: [String] { decisions.refusedStreams }
  /// The moment in which it connects next, on the monotonic clock; nil unless it waits without a connection.
  var nextAttempt: Duration? { decisions.session.nextAttempt }
  var openConnections: Int { links.values.count { $0.connection?.hasOpened == true } }

  // MARK: Decisions

  private func tell(_ event: FeedSession.Event) { decide { $0.handle(event, at: $1, &$2) } }

  private func decide(_ body: (inout SlotDecisions, SlotDecisions.Moment, inout AttemptLimiter) -> Void) {
    ask(body)
    carryOut()
  }

  /// Lets the decisions be made, without doing anything yet.
  private func ask(_ body: (inout SlotDecisions, SlotDecisions.Moment, inout AttemptLimiter) -> Void) {
    guard !isOver else { return }
    feed.decide { moment, attempts in body(&decisions, moment, &attempts) }
    agenda += decisions.takeActions()
  }

  /// Does what is decided, in its order. What comes of it meanwhile is done afterwards.
  private func carryOut() {
    if isCarryingOut { return }
    isCarryingOut = true
    defer { isCarryingOut = false }
    while !agenda.isEmpty {
      let actions = agenda
      agenda = []
      for action in actions where !isOver { perform(action) }
    }
    setTimer()
  }

  private func perform(_ action: SlotDecisions.Action) {
    switch action {
    case .submit(let intake, let gaps): feed.submit(intake, gaps: gaps)
    case .connect(let id): connect(id)
    case .ping(let id): links[id]?.connection?.ping()
    case .close(let id): links[id]?.connection?.close()
    case .abandon(let id):
      if let link = links[id] { abandoned = (id, link.phase, link.remote) }
      sever(id)
    case .report(.openingTimedOut(let id)): openingTimedOut(id)
    case .report(let report): feed.report(report, of: self)
    case .found(let findings): feed.found(findings, of: self)
    case .connectionsChanged: feed.connectionsChanged()
    case .finished:
      drop()
      feed.finished(self)
    }
  }

  /// Leaves the timer alone where it fires early enough: most data only moves the deadline further away.
  private func setTimer() {
    guard !isOver, let deadline = decisions.deadline else { return }
    if let timer, timer.at <= deadline { return }
    timer?.scheduled.cancel()
    let pause = max(deadline - feed.now, .zero)
    timer = (feed.loop.scheduleTask(in: TimeAmount(pause)) { self.timerFired() }, deadline)
  }

  private func timerFired() {
    timer = nil
    // After a freeze the timers may come before the sockets, with what had been waited for.
    feed.turned()
    decide { $0.timerFired(at: $1, &$2) }
  }

  // MARK: Connections

  private func connect(_ id: FeedSession.ConnectionID) {
    links[id] = Link(stage: .recording(FeedTarget(endpoint: feed.environment.endpoint, streams: streams)))
    feed.recordAttempt { self.dial(id) }
  }

  private func dial(_ id: FeedSession.ConnectionID) {
    guard case .recording(let target) = links[id]?.stage else { return }
    // Asked for since the attempt was written down.
    if feed.isHeldBack {
      return lost(id, FeedError(.timedOut, "the exchange has asked for a pause"), cause: .refused)
    }
    let dial = Dial(feed.addresses, loop: feed.loop)
    links[id]?.stage = .dialing(dial)
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
      answering: environment.limits.answering, wallClock: environment.wallClock)
    links[id] = Link(stage: .connected(connection), remote: channel.remoteAddress)
    decide { decisions, _, _ in decisions.reached(id) }
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

  private func openingTimedOut(_ id: FeedSession.ConnectionID) {
    let abandoned = abandoned?.id == id ? abandoned : nil
    if let remote = abandoned?.remote { feed.addresses.failed([remote]) }
    let limit = Figures.duration(feed.environment.limits.opening)
    let phase = abandoned?.phase ?? "the server"
    feed.lost(
      FeedError(.timedOut, "not open after \(limit), still waiting for \(phase)"), of: self,
      at: abandoned?.remote)
  }

  /// The end of a connection, or of an attempt.
  private func count(_ connection: FeedConnection?, _ cause: DisconnectCause) {
    if connection?.hasOpened == true {
      FeedMetrics.shared.disconnected(cause)
    } else {
      FeedMetrics.shared.connected(.failed)
    }
  }

  private func sever(_ id: FeedSession.ConnectionID) {
    let link = links.removeValue(forKey: id)
    if let link { count(link.connection, isOver ? .replaced : .silent) }
    switch link?.stage {
    case .dialing(let dial): dial.abandon()
    case .connected(let connection): connection.abandon()
    case .recording, nil: break
    }
  }

  // MARK: What connections report

  var mayRead: Bool { feed.mayRead }
  func turned() { feed.turned() }

  func opened(_ connection: FeedConnection) {
    let id = connection.id
    let remote = links[id]?.remote
    if let remote { feed.addresses.opened(remote) }
    links[id]?.remote = nil
    FeedMetrics.shared.connected(.opened)
    ask { $0.opened(id, at: $1, &$2) }
    let granted = decisions.rules.subscribes ? decisions.connections[id]?.granted ?? [] : streams
    feed.opened(connection, of: self, at: remote, granted: granted.count)
    carryOut()
  }

  func received(_ intake: Intake, from connection: FeedConnection) {
    let id = connection.id
    let (lag, hasJumped) = decisions.noteTimes(of: intake, from: id, at: feed.now)
    if hasJumped { feed.eventsJumped() }
    // That may have ended this one.
    let isHere = decisions.connections[id] != nil
    if isHere { FeedMetrics.shared.received(intake) }
    let ended =
      isHere && connection.hasOpened && !intake.ticks.isEmpty
      ? feed.dataArrived(self, at: intake.receivedAt) : []
    if let surplus = intake.surplus { feed.passedOver(surplus, of: self) }
    ask { $0.received(intake, from: id, lag: lag, ending: ended, at: $1, &$2) }
    if isHere { count(intake) }
    carryOut()
  }

  private func count(_ intake: Intake) {
    let duplicates = decisions.overlap.duplicates
    feed.counters.update {
      $0.messages += intake.messages
      $0.duplicates += duplicates - countedDuplicates
      if !intake.ticks.isEmpty { $0.lastDataAt = intake.receivedAt }
    }
    FeedMetrics.shared.duplicates.increment(by: duplicates - countedDuplicates)
    countedDuplicates = duplicates
  }

  func arrived(_ connection: FeedConnection) { tell(.arrived(connection.id)) }
  func answered(_ connection: FeedConnection) { tell(.answered(connection.id)) }
  func serverWillClose(_ connection: FeedConnection) { tell(.shutdownAnnounced(connection.id)) }

  func judged(_ verdict: Subscriptions.Verdict, by connection: FeedConnection) {
    ask { $0.judged(verdict, by: connection.id, at: $1, &$2) }
    feed.judged(verdict, of: self)
    feed.connectionsChanged()
    carryOut()
  }

  func ended(_ connection: FeedConnection, _ reason: FeedError) {
    lost(connection.id, reason, cause: feed.lossCause)
  }

  private func lost(_ id: FeedSession.ConnectionID, _ reason: FeedError, cause: Gap.Cause) {
    guard let link = links.removeValue(forKey: id) else { return }
    let isReplaced = decisions.connections[id]?.isDraining == true
    count(link.connection, isReplaced ? .replaced : DisconnectCause(reason.code))
    if let remote = link.remote, !reason.isAboutPace { feed.addresses.failed([remote]) }
    if decisions.connections[id]?.isDraining != true { feed.lost(reason, of: self, at: link.remote) }
    decide { $0.ended(id, cause: cause, at: $1, &$2) }
  }
}
