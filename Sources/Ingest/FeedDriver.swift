import Logging
import NIOCore
import NIOPosix
import NIOSSL
import WAL

/// Carries out what the session decides: connections, timers, gaps, log lines.
///
/// Lives on one event loop, as the connection and the handover do; nothing else touches it.
final class FeedDriver: FeedConnectionOwner {
  /// What does not change while the feed runs.
  struct Environment: Sendable {
    var address: FeedAddress
    var streams: [String]
    /// Nil for `ws://`.
    var security: NIOSSLContext?
    var wallClock: @Sendable () -> Int64
    var random: @Sendable () -> Double
    var limits = FeedSession.Limits()
    var backOff = BackOff()
    var logger: Logger
  }

  private let environment: Environment
  private let log: any FeedLog
  private let counters: FeedCounters
  private let loop: NIOIsolatedEventLoop
  private let finished: EventLoopPromise<Int64?>
  private var session: FeedSession
  private var openGaps: OpenGaps
  private var handover: Handover?
  private var connections: [FeedSession.ConnectionID: FeedConnection] = [:]
  /// Attempts whose TCP connection is not there yet.
  private var dialing: Set<FeedSession.ConnectionID> = []
  private var timer: Scheduled<Void>?
  private var isStopping = false
  private var hasFinished = false
  private var failures = LogThrottle(period: .seconds(60))
  private var rejections = LogThrottle(period: .seconds(60))

  /// - Parameter openGaps: of earlier runs, to be ended by the first data.
  init(
    environment: Environment, log: any FeedLog, openGaps: [Gap.ID], counters: FeedCounters,
    loop: any EventLoop, finished: EventLoopPromise<Int64?>
  ) {
    self.environment = environment
    self.log = log
    self.counters = counters
    self.loop = loop.assumeIsolated()
    self.finished = finished
    self.openGaps = OpenGaps(openGaps)
    session = FeedSession(
      startedAt: environment.wallClock(), isGapOpen: !openGaps.isEmpty, limits: environment.limits,
      backOff: environment.backOff)
    handover = Handover(
      log: log, loop: self.loop, roomAgain: { [unowned self] in roomAgain() },
      failed: { [unowned self] in fail($0) })
  }

  func start() { handle(.started) }

  /// Stops reading, hands over what is there, and finishes when it is durable.
  func stop() {
    guard !isStopping, !hasFinished else { return }
    isStopping = true
    handle(.stopped)
    for connection in connections.values { connection.close() }
    handover?.whenDrained { self.finish(.success(self.session.lastDataAt)) }
  }

  private func fail(_ error: any Error) {
    handle(.stopped)
    for connection in connections.values { connection.close() }
    finish(.failure(error))
  }

  private func finish(_ result: Result<Int64?, any Error>) {
    guard !hasFinished else { return }
    hasFinished = true
    finished.completeWith(result)
  }

  // MARK: Session

  private var now: Duration { .nanoseconds(Int64(loop.nonisolated().now.uptimeNanoseconds)) }

  private func handle(_ event: FeedSession.Event) {
    for action in session.handle(event, at: now, random: environment.random()) { perform(action) }
  }

  private func perform(_ action: FeedSession.Action) {
    switch action {
    case .connect(let id): connect(id)
    case .abandon(let id): abandon(id)
    case .close(let id): connections[id]?.close()
    case .setTimer(let duration): setTimer(duration)
    case .cancelTimer: timer?.cancel()
    case .openGap(let startedAt, let cause):
      openGaps = OpenGaps()
      let gap = GapChange.open(
        startedAt: startedAt, cause: cause, streams: environment.streams, openGaps)
      handover?.submit(Delivery(), gaps: [gap])
    }
  }

  private func setTimer(_ duration: Duration) {
    timer?.cancel()
    timer = loop.scheduleTask(in: TimeAmount(duration)) { self.handle(.timer) }
  }

  private func abandon(_ id: FeedSession.ConnectionID) {
    report(FeedError(.timedOut, "the WebSocket was not open after \(environment.limits.opening)"))
    dialing.remove(id)
    // The session has let go of it already; what it says now is ignored.
    connections.removeValue(forKey: id)?.close()
  }

  // MARK: Connections

  private func connect(_ id: FeedSession.ConnectionID) {
    counters.update { $0.attempts += 1 }
    dialing.insert(id)
    let address = environment.address
    ClientBootstrap(group: loop.nonisolated())
      .connectTimeout(.seconds(10))
      .channelOption(.autoRead, value: false)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .connect(host: address.host, port: address.port)
      .assumeIsolated()
      .whenComplete { result in
        switch result {
        // In the loop's next turn, because the channel announces that it is active only after this callback,
        // and the handlers would begin twice.
        case .success(let channel): self.loop.execute { self.reached(channel, id) }
        case .failure(let error): self.unreachable(error, id)
        }
      }
  }

  /// Only now do the handlers come in: the bootstrap may have tried several of the host's addresses at once.
  private func reached(_ channel: any Channel, _ id: FeedSession.ConnectionID) {
    guard dialing.remove(id) != nil, !isStopping, !hasFinished else {
      return channel.close(promise: nil)
    }
    let connection = FeedConnection(
      id: id, address: environment.address, owner: self, wallClock: environment.wallClock)
    connections[id] = connection
    guard channel.isActive else {
      return ended(connection, FeedError(.connectFailed, "the connection was closed at once"))
    }
    do {
      if let security = environment.security {
        let name = environment.address.isHostName ? environment.address.host : nil
        try channel.pipeline.syncOperations.addHandler(
          NIOSSLClientHandler(context: security, serverHostname: name))
      }
      try channel.pipeline.syncOperations.addHandler(connection)
    } catch {
      channel.close(promise: nil)
      ended(connection, FeedError(.connectFailed, "\(error)"))
    }
  }

  private func unreachable(_ error: any Error, _ id: FeedSession.ConnectionID) {
    guard dialing.remove(id) != nil else { return }
    report(FeedError(.connectFailed, "cannot connect: \(Self.short(error))"))
    handle(.ended(id, cause: .refused))
  }

  private static func short(_ error: any Error) -> String {
    guard let error = error as? NIOConnectionError else { return "\(error)" }
    if let first = error.connectionErrors.first { return "\(first.error)" }
    return (error.dnsAError ?? error.dnsAAAAError).map { "\($0)" } ?? "\(error)"
  }

  // MARK: What connections report

  var mayRead: Bool { handover?.isFull == false }

  func opened(_ connection: FeedConnection) {
    handle(.opened(connection.id))
    counters.update {
      if $0.connectedStreams == 0, connection.id.number > 1 { $0.reconnects += 1 }
      $0.connectedStreams = environment.streams.count
    }
    environment.logger.info(
      "connected to the exchange",
      metadata: [
        LogKey.host: "\(environment.address.hostHeader)", LogKey.streams: "\(environment.streams.count)",
      ])
  }

  func received(_ delivery: Delivery, from connection: FeedConnection) {
    guard !hasFinished else { return }
    let endsGap = session.dataReceived(at: delivery.receivedAt)
    let gaps = endsGap ? [GapChange.close(endedAt: delivery.receivedAt, openGaps)] : []
    handover?.submit(delivery, gaps: gaps)
    if !delivery.rejected.isEmpty { reportRejections(delivery.rejected) }
    let isPaused = !mayRead
    counters.update {
      $0.messages += delivery.messages
      $0.ticks += delivery.ticks.count
      $0.rejected += delivery.rejected.count
      $0.lastDataAt = delivery.receivedAt
      $0.isPaused = isPaused
    }
  }

  func serverWillClose(_ connection: FeedConnection) {
    environment.logger.notice(
      "the exchange says that it will close the connection; it is opened again when that happens",
      metadata: [LogKey.host: "\(environment.address.hostHeader)"])
  }

  func ended(_ connection: FeedConnection, _ reason: FeedError) {
    guard connections.removeValue(forKey: connection.id) != nil else { return }
    counters.update { $0.connectedStreams = 0 }
    if !isStopping, !hasFinished { report(reason) }
    handle(.ended(connection.id, cause: lossCause))
  }

  /// A server that drops a client which could not read for long has a reason on this side.
  private var lossCause: Gap.Cause {
    if mayRead { return .closed }
    return log.isDiskFull ? .diskFull : .queueFull
  }

  private func roomAgain() {
    counters.update { $0.isPaused = false }
    for connection in connections.values { connection.resume() }
  }

  // MARK: Log lines

  private func report(_ error: FeedError) {
    guard let held = failures.pass(at: now) else { return }
    environment.logger.warning(
      "no connection to the exchange; trying again, ticks until then are missed",
      metadata: [
        LogKey.host: "\(environment.address.hostHeader)", LogKey.reason: "\(error)",
        LogKey.heldBack: "\(held)",
      ])
  }

  private func reportRejections(_ rejected: [RejectedInput]) {
    guard let first = rejected.first, let held = rejections.pass(at: now) else { return }
    environment.logger.warning(
      "a message that is no tick was kept as a dead letter of the feed",
      metadata: [
        LogKey.reason: "\(first.cause)", LogKey.heldBack: "\(held)",
        LogKey.message: "\(String(decoding: first.payload.prefix(200), as: UTF8.self))",
      ])
  }
}

/// The keys of the feed's log lines.
enum LogKey {
  static let host = "host"
  static let streams = "streams"
  static let reason = "reason"
  static let message = "message"
  /// Equal lines not written since the last one.
  static let heldBack = "held_back"
}
