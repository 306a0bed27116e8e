import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import Ingest

/// Runs the cases of a fuzzing server of the Autobahn test suite against the feed's WebSocket client, made to
/// answer each message with itself. The server judges; whoever started it reads its report.
///
/// Reference: https://github.com/crossbario/autobahn-testsuite
@Suite struct WebSocketConformanceTests {
  private static let server = ProcessInfo.processInfo.environment["WEBSOCKET_FUZZING_SERVER"]

  @Test(.enabled(if: server != nil, "needs WEBSOCKET_FUZZING_SERVER, the URL of a fuzzing server"))
  func `the client goes through all cases of a fuzzing server`() async throws {
    let server = try #require(Self.server)
    let count = try #require(try await EchoClient.run("\(server)/getCaseCount").flatMap { Int($0) })
    // Some cases are waiting for the most part, so a few of them go on at the same time.
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 1...max(1, count) {
        if number > 4 { try await group.next() }
        group.addTask { _ = try await EchoClient.run("\(server)/runCase?case=\(number)&agent=tickwal") }
      }
      try await group.waitForAll()
    }
    _ = try await EchoClient.run("\(server)/updateReports?agent=tickwal")
  }
}

/// One connection that answers messages with themselves, until the server ends it: a plain WebSocket client, made
/// of the parts that ``FeedConnection`` is made of.
///
/// Unlike the feed, it takes no text that is not UTF-8.
private final class EchoClient: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let ended: EventLoopPromise<String?>
  private var handshake: Handshake
  private var isUpgraded = false
  private var hasSaidGoodbye = false
  private var frames = FrameReader(maximumMessage: FeedConnection.maximumMessage)
  private var received = ByteBuffer()
  /// The beginning of the first message that the server sent.
  private var first: String?

  private init(_ handshake: Handshake, ended: EventLoopPromise<String?>) {
    self.handshake = handshake
    self.ended = ended
  }

  /// - Returns: the beginning of the first message that the server sent.
  static func run(_ url: String) async throws -> String? {
    let endpoint = try FeedEndpoint(url: url, testnet: true)
    let target = FeedTarget(endpoint: endpoint, streams: [])
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let channel = try await ClientBootstrap(group: loop)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .connect(host: endpoint.host, port: endpoint.port).get()
    return try await loop.flatSubmit {
      guard channel.isActive else { return loop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
      let ended = loop.makePromise(of: String?.self)
      let handshake = Handshake(host: endpoint.hostHeader, target: target.text)
      do {
        try channel.pipeline.syncOperations.addHandler(EchoClient(handshake, ended: ended))
      } catch {
        ended.fail(error)
      }
      return ended.futureResult
    }.get()
  }

  func handlerAdded(context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: handshake.request)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    received.discardReadBytes()
    received.writeBuffer(&bytes)
    do {
      try readOn(context)
    } catch {
      if isUpgraded {
        sendClose(FeedConnection.closeCode(error), context)
      } else {
        ended.fail(error)
      }
      context.close(promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) { ended.succeed(first) }

  private func readOn(_ context: ChannelHandlerContext) throws(FeedError) {
    if !isUpgraded {
      guard try handshake.receive(&received) == .upgraded else { return }
      isUpgraded = true
    }
    while !hasSaidGoodbye, let item = try frames.next(&received) {
      switch item {
      case .message(let message, let isText): try answer(message, isText: isText, context)
      case .ping(let payload): write(ClientFrame.bytes(.pong(payload), mask: .random()), context)
      case .pong: break
      case .close(let code, _):
        sendClose(code, context)
        context.close(promise: nil)
      }
    }
  }

  /// Reference: RFC 6455, section 8.1
  private func answer(
    _ message: ByteBuffer, isText: Bool, _ context: ChannelHandlerContext
  ) throws(FeedError) {
    let text = String(validating: message.readableBytesView, as: UTF8.self)
    if isText, text == nil { throw FeedError(.badText, "a text that is not UTF-8") }
    if first == nil { first = text.map { String($0.prefix(20)) } }
    write(ClientFrame.bytes(isText ? .text : .binary, payload: message, mask: .random()), context)
  }

  private func sendClose(_ code: Int?, _ context: ChannelHandlerContext) {
    hasSaidGoodbye = true
    write(ClientFrame.close(code: code, mask: .random()), context)
  }

  private func write(_ frame: ByteBuffer, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
  }
}
