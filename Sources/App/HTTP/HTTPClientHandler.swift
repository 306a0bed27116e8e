import Base
import NIOCore
import NIOHTTP1

/// One client of the HTTP server: one request, one answer, then the end. Each step has a time limit.
final class HTTPClientHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private enum State {
    case reading(HTTPRequestHead?)
    case answering
    case writing
    case ended
  }

  private let server: HTTPServer
  private var state = State.reading(nil)
  private var limit: Scheduled<Void>?

  init(_ server: HTTPServer) { self.server = server }

  func channelActive(context: ChannelHandlerContext) {
    setLimit(HTTPServer.readingTime, context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    limit?.cancel()
    if case .reading(let head?) = state {
      _ = head
      server.count(.timedOut)
    }
    state = .ended
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch (unwrapInboundIn(data), state) {
    case (.head(let head), .reading(nil)): state = .reading(head)
    case (.end, .reading(let head?)): answer(head, context)
    default: break
    }
  }

  /// Bytes that are no request, or too many.
  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard case .reading = state else { return context.close(promise: nil) }
    let refusal: HTTPRoute.Refusal =
      (error as? HTTPParserError) == .headerOverflow || error is RequestTooLong ? .tooLarge : .badRequest
    write(HTTPReply(refusal), context)
  }

  private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    state = .answering
    let question = HTTPRoute.Question(
      method: head.method.rawValue, target: head.uri,
      isHTTP10: head.version == .http1_0, hosts: head.headers["host"],
      accept: head.headers.first(name: "accept"))
    let route = HTTPRoute(question, names: server.names(of: context.channel))
    if case .refused(let refusal) = route { return write(HTTPReply(refusal), context) }
    setLimit(HTTPServer.answeringTime, context)
    let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
    Task { [server] in
      let reply = await server.answer(route)
      bound.eventLoop.execute { bound.value.handler.write(reply, bound.value.context) }
    }
  }

  private func write(_ reply: HTTPReply, _ context: ChannelHandlerContext) {
    switch state {
    case .reading, .answering: state = .writing
    case .writing, .ended: return
    }
    server.count(reply.result)
    setLimit(HTTPServer.writingTime, context)
    var headers = HTTPHeaders([
      ("Content-Type", reply.contentType), ("Content-Length", "\(reply.body.utf8.count)"),
      ("Connection", "close"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
      ("Content-Security-Policy", reply.policy), ("X-Frame-Options", "DENY"),
      ("Referrer-Policy", "no-referrer"),
      ("Cross-Origin-Resource-Policy", "same-origin"),
    ])
    if reply.status == 405 { headers.add(name: "Allow", value: "GET") }
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: reply.status), headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: reply.body)))), promise: nil)
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in bound.value.close(promise: nil) }
  }

  private func setLimit(_ time: Duration, _ context: ChannelHandlerContext) {
    limit?.cancel()
    let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
    limit = context.eventLoop.scheduleTask(in: TimeAmount(time)) {
      bound.value.handler.timeIsUp(bound.value.context)
    }
  }

  private func timeIsUp(_ context: ChannelHandlerContext) {
    if case .answering = state {
      return write(
        HTTPReply(status: 503, body: ProcessLiveness.stuck.text + "\n", result: .timedOut), context)
    }
    if case .ended = state { return }
    server.count(.timedOut)
    state = .ended
    context.close(promise: nil)
  }
}

extension HTTPReply {
  init(_ refusal: HTTPRoute.Refusal) {
    self.init(
      status: refusal.rawValue, contentType: "text/plain; charset=utf-8", body: refusal.reason + "\n",
      result: .refused)
  }
}

/// More bytes than any request that is answered here.
struct RequestTooLong: Error {}

/// Lets so many bytes of a client through, and no more.
final class RequestLimit: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private var left: Int

  init(bytes: Int) { left = bytes }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard left >= 0 else { return }
    left -= unwrapInboundIn(data).readableBytes
    guard left >= 0 else { return context.fireErrorCaught(RequestTooLong()) }
    context.fireChannelRead(data)
  }
}
