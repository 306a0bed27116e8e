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

  private let market: Market
  private let channel: any Channel
  private let faults: ExchangeFaults
  private var state = State.well
  private var outgoing: OutgoingFrames
  private var pings: PingLedger
  private var requests = SlidingCount(span: ClientLimits.messageSpan)
  private var messages = 0

  private enum State: Equatable {
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
  }

  private var loop: NIOIsolatedEventLoop { channel.eventLoop.assumeIsolated() }

  /// Whether nobody needs to wait for it.
  var isReady: Bool { channel.isWritable || state != .well }

  /// Whether a fault can still happen to it.
  var isWell: Bool { state == .well }

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

  /// Queues a message; it goes out with the next flush. Returns whether all of it will.
  func send(_ message: ByteBuffer) -> Bool {
    switch state {
    case .stalled, .deaf, .closing: return false
    case .toBeCut(let withReset):
      outgoing.append(message: message)
      outgoing.dropLast(max(1, message.readableBytes / 2))
      cut(withReset: withReset)
      return false
    case .well:
      outgoing.append(message: message)
      messages += 1
      if let limit = faults.closeAfterMessages, messages >= limit { close() }
      return true
    }
  }

  /// Writes what is queued. Not for a client that lets too much wait: that one is dropped.
  func flush() {
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

  // MARK: Faults and endings

  /// Makes a fault happen; `refuse` is none of a connection's.
  func suffer(_ fault: FaultKind) {
    switch fault {
    case .close: close()
    case .shutdown:
      outgoing.append(message: ByteBuffer(string: "{\"e\":\"serverShutdown\",\"E\":\(market.eventTime())}"))
      flush()
      loop.scheduleTask(in: TimeAmount(faults.shutdownNotice)) { self.close() }
    case .reset, .fin: state = .toBeCut(withReset: fault == .reset)
    case .stall: state = .stalled
    case .halfOpen: state = .deaf
    case .refuse: break
    }
  }

  /// Sends what is queued and a close frame. The connection ends when the client has answered it, so that
  /// nothing that was sent is lost to a reset; a client that does not answer is dropped after a while.
  func close(code: WebSocketErrorCode? = nil) {
    guard state != .closing, state != .deaf else { return }
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
    case .ping:
      outgoing.append(control: frame.unmaskedData, opcode: .pong)
      flush()
    case .pong:
      if pings.received(frame.unmaskedData) { market.statistics.pongs += 1 }
    case .connectionClose:
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

  private func answer(_ text: ByteBuffer) {
    do {
      let request = try ClientRequest(json: Array(text.readableBytesView))
      var listing: [String]?
      switch request.method {
      case .subscribe:
        guard market.mayBeSubscribed() else {
          outgoing.append(message: ByteBuffer(bytes: try request.denial()))
          return flush()
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
