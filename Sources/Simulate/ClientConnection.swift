import Glibc
import NIOCore
import NIOSSL
import NIOWebSocket

/// One client after its upgrade: sends it messages and pings, answers its requests, and suffers what the
/// exchange's faults do to it.
final class ClientConnection: ChannelInboundHandler {
  typealias InboundIn = WebSocketFrame
  typealias OutboundOut = ByteBuffer

  /// Counted from 1, in the order of opening.
  let number: Int
  let form: UpgradeRequest.Form
  /// Numbers of the streams that it is subscribed to; the ``StreamBook`` keeps it.
  var streams: Set<Int> = []

  let market: Market
  let faults: ExchangeFaults
  var state = State.well
  var outgoing: OutgoingFrames
  var owed = OwedMessages()
  /// Numbers of streams that it is granted and never gets.
  var withheld: Set<Int> = []
  /// Whether streams that it subscribes to may be withheld.
  var isWithholding = false
  var isBabbling = false
  /// The stream of which messages are left out, and how many more.
  var skipping: (stream: Int, left: Int)?
  var pongDelay: TimeAmount?
  var owedDelivery: Scheduled<Void>?
  private let channel: any Channel
  private var pings: PingLedger
  private var requests = SlidingCount(span: ClientLimits.messageSpan)
  private var messages = 0

  enum State: Equatable {
    case well
    /// Gets no data any more.
    case stalled
    /// Gets nothing at all any more, and is not heard.
    case deaf
    /// Is cut off in the middle of the next message.
    case toBeCut(withReset: Bool)
    case closing
  }

  init(number: Int, form: UpgradeRequest.Form, market: Market, channel: any Channel) {
    self.number = number
    self.form = form
    self.market = market
    self.channel = channel
    faults = market.faults
    outgoing = OutgoingFrames(allocator: channel.allocator, fragmentSize: faults.fragmentSize)
    pings = PingLedger(timeout: market.pongTimeout)
    if faults.hasLatePongs { pongDelay = TimeAmount(faults.latePongTime) }
  }

  /// What became of a message that a connection was to get.
  enum Fate {
    /// The whole message goes out with the next flush.
    case sent
    /// It is sent later, unless the connection ends before.
    case owed
    case lost
  }

  var loop: NIOIsolatedEventLoop { channel.eventLoop.assumeIsolated() }

  /// Whether nobody needs to wait for it.
  var isReady: Bool { channel.isWritable && owed.bytes <= market.clientBacklog || state != .well }

  /// Whether a fault can still happen to it.
  var isWell: Bool { state == .well }

  /// Whether it is in the middle of a fault that passes.
  var isSuffering: Bool { isBabbling || skipping != nil || owed.isFrozen(at: .now()) }

  /// Answers the upgrade and lets the client take part in trading.
  func open(response: String, streams: [String]) {
    outgoing.append(response)
    market.admit(self, streams: streams)
    flush()
    loop.scheduleTask(in: market.pingInterval) { self.ping() }
    for (kind, age) in faults.afterOpening {
      loop.scheduleTask(in: TimeAmount(age)) {
        if self.isWell { self.market.work(kind, on: self) }
      }
    }
  }

  /// Queues a message of a stream, or of none; it goes out with the next flush unless it is owed or lost.
  func send(_ message: ByteBuffer, of stream: Int?) -> Fate {
    switch state {
    case .stalled, .deaf, .closing: return .lost
    case .toBeCut(let withReset):
      outgoing.append(message: message)
      outgoing.dropLast(max(1, message.readableBytes / 2))
      cut(withReset: withReset)
      return .lost
    case .well: break
    }
    if let stream, isLeftOut(stream) { return .lost }
    if isBabbling { return .lost }
    let now = NIODeadline.now()
    if owed.holds(at: now) {
      owed.append(message, at: now)
      scheduleOwed()
      return .owed
    }
    put(message)
    return .sent
  }

  /// Queues a message that goes out with the next flush.
  func put(_ message: ByteBuffer) {
    outgoing.append(message: message)
    messages += 1
    if messages == faults.closeAfterMessages { close() }
  }

  /// Writes what is queued. Not for a client that lets too much wait: that one is dropped.
  func flush() {
    guard market.waitsForClients || owed.bytes <= market.clientBacklog else {
      market.statistics.slowClients += 1
      return drop()
    }
    guard outgoing.buffer.readableBytes > 0, channel.isActive else { return }
    // Taken out first: the write may call back at once to say that the channel is writable again.
    let bytes = takeOutgoing()
    channel.writeAndFlush(bytes, promise: nil)
    guard !market.waitsForClients, state == .well || state == .closing, waiting > market.clientBacklog else {
      return
    }
    market.statistics.slowClients += 1
    drop()
  }

  /// Bytes that the client's side of the network has not taken.
  private var waiting: Int {
    do { return try channel.syncOptions?.getOption(.bufferedWritableBytes) ?? 0 } catch {
      // Only a channel that has ended does not say.
      return 0
    }
  }

  private func takeOutgoing() -> ByteBuffer {
    defer { outgoing = OutgoingFrames(allocator: channel.allocator, fragmentSize: faults.fragmentSize) }
    return outgoing.buffer
  }

  // MARK: Endings

  /// Sends what is queued and a close frame. The connection ends when the client has answered it, so that
  /// nothing that was sent is lost to a reset; a client that does not answer is dropped after a while.
  func close(code: WebSocketErrorCode? = nil) {
    guard state != .closing, state != .deaf else { return }
    if state == .well { payUp() }
    // Its client may have been sent so much that it was to be closed anyway.
    guard state != .closing else { return }
    state = .closing
    var payload = channel.allocator.buffer(capacity: 2)
    payload.write(webSocketErrorCode: code ?? WebSocketErrorCode(codeNumber: Int(faults.closeCode)))
    outgoing.append(control: payload, opcode: .connectionClose)
    flush()
    market.dismiss(self)
    loop.scheduleTask(in: .seconds(2)) { self.drop() }
  }

  private func cut(withReset: Bool) {
    state = .closing
    // Not within the sending of a message to all who want it.
    loop.execute {
      self.market.dismiss(self)
      self.channel.writeAndFlush(self.takeOutgoing()).assumeIsolated().whenComplete { _ in
        self.drop(withReset: withReset)
      }
    }
    loop.scheduleTask(in: .seconds(2)) { self.drop(withReset: withReset) }
  }

  /// Ends the connection at once, without the farewell of WebSocket or TLS.
  private func drop(withReset: Bool = false) {
    guard channel.isActive else { return }
    state = .closing
    if withReset, let socket = channel as? any SocketOptionProvider {
      // Closing a socket that does not linger sends a reset.
      socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).assumeIsolated().whenComplete { _ in
        self.closeBelowTLS()
      }
    } else {
      closeBelowTLS()
    }
  }

  private func closeBelowTLS() {
    do {
      try channel.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self).close(promise: nil)
    } catch {
      // There is no TLS on this connection.
      channel.close(promise: nil)
    }
  }

  // MARK: Pings

  private func ping() {
    guard channel.isActive, state != .closing, state != .deaf else { return }
    let payload = ByteBuffer(string: String(market.eventTime()))
    pings.sent(payload, at: .now())
    outgoing.append(control: payload, opcode: .ping)
    flush()
    loop.scheduleTask(in: market.pongTimeout) { self.dropIfSilent() }
    loop.scheduleTask(in: market.pingInterval) { self.ping() }
  }

  private func dropIfSilent() {
    guard channel.isActive, state != .closing, state != .deaf, pings.isOverdue(at: .now()) else { return }
    market.statistics.silentClients += 1
    close(code: .policyViolation)
  }

  // MARK: What the client says

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if state == .deaf { return }
    let frame = unwrapInboundIn(data)
    // RFC 6455, section 5.1: a server closes when it gets a frame that is not masked.
    guard frame.maskKey != nil else { return close(code: .protocolError) }
    if state == .closing, frame.opcode != .connectionClose { return }
    if frame.opcode != .connectionClose, !isWithinRate() { return close(code: .policyViolation) }
    switch frame.opcode {
    case .text where frame.fin: answer(frame.unmaskedData)
    case .ping: pong(frame.unmaskedData)
    case .pong:
      if pings.received(frame.unmaskedData) { market.statistics.pongs += 1 }
    case .connectionClose:
      owed.removeAll()
      if state != .closing { market.statistics.closedByClients += 1 }
      close(code: .normalClosure)
      channel.close(promise: nil)
    default: close(code: .unacceptableData)
    }
  }

  private func isWithinRate() -> Bool {
    let rate = requests.add(at: .now(), earliest: market.lastLook)
    market.statistics.mostClientMessages = max(market.statistics.mostClientMessages, rate)
    guard market.isStrict, rate > ClientLimits.messages else { return true }
    market.statistics.violations[.messages, default: 0] += 1
    return false
  }

  private func pong(_ payload: ByteBuffer) {
    guard let pongDelay else {
      outgoing.append(control: payload, opcode: .pong)
      return flush()
    }
    loop.scheduleTask(in: pongDelay) {
      guard self.channel.isActive, self.state != .closing, self.state != .deaf else { return }
      self.outgoing.append(control: payload, opcode: .pong)
      self.flush()
    }
  }

  private func answer(_ text: ByteBuffer) {
    do {
      let request = try ClientRequest(json: Array(text.readableBytesView))
      var listing: [String]?
      switch request.method {
      case .subscribe:
        switch market.judgeSubscribe(of: self, to: request.streams) {
        case .granted: break
        case .refused(let error):
          outgoing.append(message: ByteBuffer(bytes: try request.denial(error)))
          return flush()
        case .none: return
        }
        guard market.subscribe(self, to: request.streams) else { return close(code: .policyViolation) }
      case .unsubscribe: market.unsubscribe(self, from: request.streams)
      case .listSubscriptions: listing = market.subscriptions(of: self)
      }
      outgoing.append(message: ByteBuffer(bytes: try request.answer(listing: listing)))
    } catch {
      outgoing.append(message: ByteBuffer(bytes: ClientRequest.invalid))
    }
    flush()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if channel.isWritable { market.wake() }
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    state = .closing
    market.dismiss(self)
    market.ended(self)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A broken frame or a reset connection: the client comes again, the exchange goes on.
    market.logger.debug("Client connection failed.", metadata: ["error": "\(error)"])
    context.close(promise: nil)
  }
}
