import NIOCore
import NIOWebSocket

/// One client after its upgrade: sends it messages and pings, answers its requests.
final class ClientConnection: ChannelInboundHandler {
  typealias InboundIn = WebSocketFrame
  typealias OutboundOut = ByteBuffer

  let form: UpgradeRequest.Form
  private let floor: TradingFloor
  private let channel: any Channel
  private var outgoing: OutgoingFrames
  private var pings: PingLedger
  private var messages = 0
  private var isClosing = false

  init(form: UpgradeRequest.Form, floor: TradingFloor, channel: any Channel) {
    self.form = form
    self.floor = floor
    self.channel = channel
    outgoing = OutgoingFrames(allocator: channel.allocator, fragmentSize: floor.faults.fragmentSize)
    pings = PingLedger(timeout: floor.pongTimeout)
  }

  var isWritable: Bool { channel.isWritable || isClosing }

  /// Answers the upgrade and lets the client take part in trading.
  func open(response: String, streams: [String]) {
    outgoing.append(response)
    floor.admit(self, streams: streams)
    flush()
    let loop = channel.eventLoop.assumeIsolated()
    _ = loop.scheduleTask(in: floor.pingInterval) { self.ping() }
    if let lifetime = floor.faults.closeAfter {
      _ = loop.scheduleTask(in: TimeAmount(lifetime)) { self.close(code: .normalClosure) }
    }
  }

  /// Queues a message; it goes out with the next flush.
  func send(_ message: ByteBuffer) {
    guard !isClosing else { return }
    outgoing.append(message: message)
    messages += 1
    if let limit = floor.faults.closeAfterMessages, messages >= limit { close(code: .normalClosure) }
  }

  func flush() {
    guard outgoing.buffer.readableBytes > 0, channel.isActive else { return }
    // Taken out first: the write may call back at once to say that the channel is writable again.
    let bytes = outgoing.buffer
    outgoing = OutgoingFrames(allocator: channel.allocator, fragmentSize: floor.faults.fragmentSize)
    channel.writeAndFlush(bytes, promise: nil)
  }

  /// Sends what is queued and a close frame. The connection ends when the client has answered it, so that
  /// nothing that was sent is lost to a reset; a client that does not answer is cut off after a while.
  func close(code: WebSocketErrorCode) {
    guard !isClosing else { return }
    isClosing = true
    var payload = channel.allocator.buffer(capacity: 2)
    payload.write(webSocketErrorCode: code)
    outgoing.append(control: payload, opcode: .connectionClose)
    flush()
    floor.dismiss(self)
    _ = channel.eventLoop.assumeIsolated().scheduleTask(in: .seconds(2)) { self.cut() }
  }

  private func cut() {
    if channel.isActive { channel.close(promise: nil) }
  }

  private func ping() {
    guard channel.isActive, !isClosing else { return }
    let payload = ByteBuffer(string: String(floor.eventTime()))
    pings.sent(payload, at: .now())
    outgoing.append(control: payload, opcode: .ping)
    flush()
    let loop = channel.eventLoop.assumeIsolated()
    _ = loop.scheduleTask(in: floor.pongTimeout) { self.dropIfSilent() }
    _ = loop.scheduleTask(in: floor.pingInterval) { self.ping() }
  }

  private func dropIfSilent() {
    guard channel.isActive, !isClosing, pings.isOverdue(at: .now()) else { return }
    floor.statistics.silentClients += 1
    close(code: .policyViolation)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    // RFC 6455, section 5.1: a server closes when it gets a frame that is not masked.
    guard frame.maskKey != nil else { return close(code: .protocolError) }
    if isClosing, frame.opcode != .connectionClose { return }
    switch frame.opcode {
    case .text where frame.fin: answer(frame.unmaskedData)
    case .ping:
      outgoing.append(control: frame.unmaskedData, opcode: .pong)
      flush()
    case .pong:
      if pings.received(frame.unmaskedData) { floor.statistics.pongs += 1 }
    case .connectionClose:
      close(code: .normalClosure)
      cut()
    default: close(code: .unacceptableData)
    }
  }

  private func answer(_ text: ByteBuffer) {
    do {
      let request = try ClientRequest(json: Array(text.readableBytesView))
      var listing: [String]?
      switch request.method {
      case .subscribe: floor.subscribe(self, to: request.streams)
      case .unsubscribe: floor.unsubscribe(self, from: request.streams)
      case .listSubscriptions: listing = floor.subscriptions(of: self)
      }
      outgoing.append(message: ByteBuffer(bytes: try request.answer(listing: listing)))
    } catch {
      outgoing.append(message: ByteBuffer(bytes: ClientRequest.invalid))
    }
    flush()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if channel.isWritable { floor.wake() }
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    isClosing = true
    floor.dismiss(self)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A broken frame or a reset connection: the client comes again, the exchange goes on.
    floor.logger.debug("Client connection failed.", metadata: ["error": "\(error)"])
    context.close(promise: nil)
  }
}
