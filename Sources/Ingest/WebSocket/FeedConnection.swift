import NIOCore
import NIOSSL
import NIOWebSocket
import WAL

/// The receiver of a connection's reports, which also says whether it may go on reading.
protocol FeedConnectionOwner: AnyObject {
  /// False while the log's queue is full: then TCP holds the server back.
  var mayRead: Bool { get }
  /// Before anything of a read is looked at.
  func turned()
  /// The WebSocket is open, and the server has answered every request to subscribe.
  func opened(_ connection: FeedConnection)
  /// The server has granted or refused streams, or said an error of no request. Refused ones are asked for again.
  func judged(_ verdict: Subscriptions.Verdict, by connection: FeedConnection)
  func received(_ intake: Intake, from connection: FeedConnection)
  /// A read brought bytes, but no data message: a pong, a ping, an answer, a part of something.
  func arrived(_ connection: FeedConnection)
  /// The newest ping has come back: everything that the server had sent before has been handed over.
  func answered(_ connection: FeedConnection)
  /// The server has announced that it will end the connection.
  func serverWillClose(_ connection: FeedConnection)
  /// Called once, after everything that was received has been handed over.
  func ended(_ connection: FeedConnection, _ reason: FeedError)
}

/// One WebSocket to the exchange: opens it, subscribes, answers pings, and turns each read of the socket into a
/// intake.
///
/// Added to a channel that is active already and does not read by itself.
final class FeedConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// Bytes of one message, whole or in fragments.
  static let maximumMessage = 16 << 20

  private enum State {
    case opening(Handshake)
    /// The server has not answered all requests.
    case subscribing
    case open
    /// Our close frame is out; what the server still sends until its own counts.
    case draining
    case ended
  }

  let id: FeedSession.ConnectionID
  /// True once it has been open: only then does its data say that each stream is received.
  private(set) var hasOpened = false
  private let owner: any FeedConnectionOwner
  private let wallClock: @Sendable () -> Int64
  private let requests: [SubscribeRequest]
  private var subscriptions: Subscriptions
  private var askingAgain: (scheduled: Scheduled<Void>, at: Duration)?
  private var state: State
  private var frames: FrameReader
  private var decoder: MessageDecoder
  private var outbox: Outbox
  private var sending: Scheduled<Void>?
  private var received = ByteBuffer()
  private var intake = Intake()
  private var lastSize = (ticks: 0, bytes: 0)
  private var rejectedInARow = 0
  /// A part of what is being read went to the owner already.
  private var hasHandedOver = false
  private var context: ChannelHandlerContext?
  private var isPaused = false
  /// The number in the newest ping, and whether it has come back.
  private var lastPing: UInt64 = 0
  private var isPingAnswered = false

  init(
    id: FeedSession.ConnectionID, endpoint: FeedEndpoint, target: FeedTarget, owner: any FeedConnectionOwner,
    limits: ExchangeLimits = .binance, answering: Duration = Subscriptions.patience,
    wallClock: @escaping @Sendable () -> Int64
  ) {
    subscriptions = Subscriptions(patience: answering)
    self.id = id
    self.owner = owner
    self.wallClock = wallClock
    outbox = Outbox(limit: limits.messagesPerSecond)
    frames = FrameReader(maximumMessage: Self.maximumMessage)
    requests = target.requests
    state = .opening(Handshake(host: endpoint.hostHeader, target: target.text))
    decoder = MessageDecoder(urlStream: target.rawStream)
  }

  /// The thing that it waits for, for a message about one that takes too long.
  var phase: String {
    switch state {
    case .opening: "the answer to the upgrade"
    case .subscribing: "the answers to \(subscriptions.awaitedCount) requests to subscribe"
    case .open, .draining, .ended: "nothing"
    }
  }

  // MARK: What the owner asks for

  /// Goes on reading after ``FeedConnectionOwner/mayRead`` was false.
  func resume() {
    guard isPaused else { return }
    isPaused = false
    context?.read()
  }

  /// Asks the server for a sign of life. Only the answer to the newest question is told as one.
  func ping() {
    lastPing += 1
    send(.ping)
  }

  /// Ends the connection in an orderly way: says so, and reads on until the server has ended it too.
  func close() {
    switch state {
    case .opening: end(FeedError(.closed(code: nil), "closed by this side"))
    case .subscribing, .open:
      state = .draining
      sendClose(code: 1000)
    case .draining, .ended: break
    }
  }

  /// Drops the connection at once and says nothing more of it, whatever the server does or does not do.
  func abandon() {
    if case .ended = state { return }
    leave()
    intake = Intake()
    guard let context else { return }
    do {
      // Past TLS, whose own goodbye would wait for the server's.
      try context.pipeline.syncOperations.context(handlerType: NIOSSLClientHandler.self).close(promise: nil)
    } catch {
      // There is no TLS in between.
      context.close(promise: nil)
    }
  }

  // MARK: Reading

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    guard case .opening(let handshake) = state else { return }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: handshake.request)), promise: nil)
    context.read()
  }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if case .ended = state { return }
    owner.turned()
    // Its turn may have ended this one.
    if case .ended = state { return }
    if intake.receivedAt == 0 { intake.receivedAt = wallClock() }
    var bytes = unwrapInboundIn(data)
    FeedMetrics.shared.receivedBytes.increment(by: bytes.readableBytes)
    do {
      if received.readableBytes == 0 {
        received = bytes
      } else {
        received.discardReadBytes()
        if isUpgraded {
          received.reserveCapacity(
            minimumWritableBytes: max(bytes.readableBytes, try frames.missing(in: received)))
        }
        received.writeBuffer(&bytes)
      }
      try readOn()
    } catch {
      refuse(error)
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if !handOver(), !hasHandedOver, isUpgraded { owner.arrived(self) }
    hasHandedOver = false
    if isPingAnswered {
      isPingAnswered = false
      owner.answered(self)
    }
    switch state {
    case .opening: context.read()
    case .subscribing, .open, .draining:
      if owner.mayRead {
        context.read()
      } else {
        isPaused = true
      }
    case .ended: break
    }
    context.fireChannelReadComplete()
  }

  /// True while frames are exchanged.
  private var isUpgraded: Bool {
    switch state {
    case .subscribing, .open, .draining: true
    case .opening, .ended: false
    }
  }

  private func readOn() throws(FeedError) {
    if case .opening(var handshake) = state {
      let progress = try handshake.receive(&received)
      guard progress == .upgraded else {
        state = .opening(handshake)
        return
      }
      subscribe()
    }
    while isUpgraded, let item = try frames.next(&received) {
      switch item {
      case .message(let message, _): take(message)
      case .ping(let payload): send(.pong(payload))
      case .pong(let payload):
        if payload == ByteBuffer(integer: lastPing) { isPingAnswered = true }
      case .close(let code, let reason): closed(code: code, reason: reason)
      }
    }
  }

  private func take(_ message: ByteBuffer) {
    if intake.isEmpty { intake.ticks.reserveCapacity(ticks: lastSize.ticks, bytes: lastSize.bytes) }
    let outcome = message.withUnsafeReadableBytes { bytes in
      intake.add(bytes.bindMemory(to: UInt8.self), decoder: &decoder)
    }
    switch outcome {
    case .answer(let answer): take(answer)
    case .serverShutdown: owner.serverWillClose(self)
    case .ticks: rejectedInARow = 0
    case .rejected:
      rejectedInARow += 1
      // What comes after them in the same read must not hide that they stood in the place of ticks.
      if rejectedInARow == FeedSession.Limits.babble { handOverPart() }
    }
  }

  /// Gives a part of what was read to the owner.
  private func handOverPart() {
    let rest = intake.rest
    _ = handOver()
    hasHandedOver = true
    intake = rest
  }

  /// Gives what was read to the owner; true if there was any data.
  private func handOver() -> Bool {
    defer { intake = Intake() }
    guard !intake.isEmpty else { return false }
    lastSize = (intake.ticks.count, intake.ticks.byteCount)
    owner.received(intake, from: self)
    return true
  }

  // MARK: Subscribing

  private func subscribe() {
    state = .subscribing
    send(subscriptions.start(requests, at: now))
    openIfSettled()
  }

  private func take(_ answer: RequestAnswer) {
    switch state {
    case .subscribing, .open: break
    case .opening, .draining, .ended: return
    }
    let (verdict, requests) = subscriptions.answered(answer, at: now, random: .random(in: 0..<1))
    if let verdict { owner.judged(verdict, by: self) }
    send(requests)
    openIfSettled()
  }

  private func askAgain() {
    askingAgain = nil
    let (verdicts, requests) = subscriptions.due(at: now, random: .random(in: 0..<1))
    for verdict in verdicts { owner.judged(verdict, by: self) }
    send(requests)
    openIfSettled()
  }

  private func send(_ requests: [SubscribeRequest]) {
    for request in requests { send(.text(request.text)) }
    guard let context, let deadline = subscriptions.deadline else { return }
    if let askingAgain, askingAgain.at <= deadline { return }
    askingAgain?.scheduled.cancel()
    let pause = max(deadline - now, .zero)
    askingAgain = (
      context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pause)) { self.askAgain() }, deadline
    )
  }

  private func openIfSettled() {
    guard case .subscribing = state, subscriptions.isSettled else { return }
    state = .open
    hasOpened = true
    owner.opened(self)
  }

  // MARK: Ending

  private func closed(code: Int?, reason: String) {
    switch state {
    case .subscribing, .open: sendClose(code: code)
    // Its answer to ours.
    case .draining, .opening, .ended: break
    }
    let said = code.map { "with code \($0)" } ?? "without a code"
    let why = reason.isEmpty ? "" : ": \(reason)"
    end(FeedError(.closed(code: code), "the server closed the connection \(said)\(why)"))
  }

  func channelInactive(context: ChannelHandlerContext) {
    if case .opening(var handshake) = state {
      end(handshake.end(&received))
    } else {
      end(FeedError(.closed(code: nil), "the connection was closed without a word"))
    }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // The server's end without TLS's own goodbye is an end like any other.
    if let error = error as? NIOSSLError, error == .uncleanShutdown { return }
    if let error = error as? FeedError { return refuse(error) }
    if let trouble = TLSTrouble.text(error) { return end(FeedError(.tlsFailed, trouble)) }
    end(FeedError(.closed(code: nil), NetworkTrouble.text(error)))
  }

  /// Ends the connection because the server did something that cannot be gone on from.
  private func refuse(_ error: FeedError) {
    switch state {
    case .subscribing, .open: sendClose(code: Self.closeCode(error))
    case .opening, .draining, .ended: break
    }
    end(error)
  }

  /// Reference: RFC 6455, section 7.4.1
  static func closeCode(_ error: FeedError) -> Int {
    switch error.code {
    case .messageTooLarge: 1009
    case .badText: 1007
    default: 1002
    }
  }

  private func end(_ reason: FeedError) {
    if case .ended = state { return }
    leave()
    _ = handOver()
    owner.ended(self, reason)
    context?.close(promise: nil)
  }

  private func leave() {
    state = .ended
    sending?.cancel()
    sending = nil
    askingAgain?.scheduled.cancel()
    askingAgain = nil
    received = ByteBuffer()
  }

  // MARK: Writing

  /// Of a monotonic clock.
  private var now: Duration {
    context.map { .nanoseconds(Int64($0.eventLoop.now.uptimeNanoseconds)) } ?? .zero
  }

  /// Goes out at once, before all that waits: after it nothing else may be said.
  private func sendClose(code: Int?) {
    sending?.cancel()
    write(ClientFrame.close(code: code, mask: .random()))
  }

  private func send(_ message: Outbox.Message) {
    switch state {
    case .subscribing, .open: break
    case .opening, .draining, .ended: return
    }
    outbox.add(message)
    if sending == nil { sendWhatMayGo() }
  }

  private func sendWhatMayGo() {
    sending = nil
    guard isUpgraded, let context else { return }
    let now = self.now
    while let message = outbox.next(at: now) {
      write(ClientFrame.bytes(message, ping: lastPing, mask: .random()))
    }
    guard let pause = outbox.pause(at: now) else { return }
    sending = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pause)) { self.sendWhatMayGo() }
  }

  private func write(_ frame: ByteBuffer) {
    context?.writeAndFlush(wrapOutboundOut(frame), promise: nil)
  }
}
