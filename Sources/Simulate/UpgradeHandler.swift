import NIOCore
import NIOHTTP1
import NIOWebSocket

/// The handler that reads a client's HTTP request, answers it, and puts a ``ClientConnection`` in its own place.
///
/// Written out rather than taken from the HTTP codec so that messages can leave in one write with the answer.
final class UpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let market: Market
  private let refusal: HTTPResponseStatus?
  private var received = ByteBuffer()
  private var isDone = false
  private var attempts = 0

  private static let maximumHead = 64 * 1024

  /// - Parameter refusal: the answer to each client; nil lets the market decide.
  init(market: Market, refusal: HTTPResponseStatus? = nil) {
    self.market = market
    self.refusal = refusal
  }

  func handlerAdded(context: ChannelHandlerContext) {
    attempts = market.attempt(from: context.remoteAddress?.ipAddress ?? "")
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    if isDone { return context.fireChannelRead(wrapInboundOut(bytes)) }
    received.writeBuffer(&bytes)
    guard let head = completeHead() else {
      if received.readableBytes > Self.maximumHead { refuse(context, status: .badRequest) }
      return
    }
    isDone = true
    do {
      let request = try UpgradeRequest(head: head)
      if let refusal {
        refuse(context, status: refusal)
      } else if let status = market.judge(attempts) {
        refuse(context, status: HTTPResponseStatus(statusCode: status))
      } else {
        upgrade(context, request)
      }
    } catch {
      refuse(context, status: error.status)
    }
  }

  typealias InboundOut = ByteBuffer

  private func completeHead() -> String? {
    let end: [UInt8] = [13, 10, 13, 10]
    let view = received.readableBytesView
    var place = view.startIndex
    while let found = view[place...].firstIndex(of: 13) {
      if view[found...].starts(with: end) {
        let head = received.readString(length: found - view.startIndex)
        received.moveReaderIndex(forwardBy: end.count)
        return head
      }
      place = found + 1
    }
    return nil
  }

  private func upgrade(_ context: ChannelHandlerContext, _ request: UpgradeRequest) {
    // Only used for the handshake's headers: it checks the client's and computes the accepting key.
    let upgrader = NIOWebSocketServerUpgrader(
      shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
      upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
    upgrader.buildUpgradeResponse(
      channel: context.channel, upgradeRequest: request.head, initialResponseHeaders: HTTPHeaders()
    ).assumeIsolated().whenComplete { result in
      switch result {
      case .success(let headers): self.open(context, request, headers)
      case .failure: self.refuse(context, status: .badRequest)
      }
    }
  }

  private func open(_ context: ChannelHandlerContext, _ request: UpgradeRequest, _ headers: HTTPHeaders) {
    var response = "HTTP/1.1 101 Switching Protocols\r\n"
    for (name, value) in headers { response += "\(name): \(value)\r\n" }
    let connection = ClientConnection(
      number: market.nextNumber(), form: request.form, market: market, channel: context.channel)
    do {
      let pipeline = context.pipeline.syncOperations
      try pipeline.addHandler(ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: 1 << 20)))
      try pipeline.addHandler(connection)
    } catch {
      return context.fireErrorCaught(error)
    }
    connection.open(response: response + "\r\n", streams: request.streams)
    if received.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(received)) }
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }

  private func refuse(_ context: ChannelHandlerContext, status: HTTPResponseStatus) {
    isDone = true
    market.refused(status: Int(status.code))
    let body = "\(status.code) \(status.reasonPhrase)\n"
    let retryAfter = market.retryAfter.map { "Retry-After: \($0)\r\n" } ?? ""
    let answer = """
      HTTP/1.1 \(status.code) \(status.reasonPhrase)\r
      Content-Type: text/plain\r
      Content-Length: \(body.utf8.count)\r
      \(retryAfter)Connection: close\r
      \r
      \(body)
      """
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
    context.close(promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    market.logger.debug("Handshake failed.", metadata: ["error": "\(error)"])
    context.close(promise: nil)
  }
}
