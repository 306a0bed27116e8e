import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Testing

/// A plain WebSocket client for looking at the simulated exchange, made of swift-nio's own codec.
struct WebSocketProbe {
  private let channel: any Channel
  private let frames: AsyncThrowingStream<WebSocketFrame, any Error>
  private var iterator: AsyncThrowingStream<WebSocketFrame, any Error>.AsyncIterator

  private final class Collector: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    let continuation: AsyncThrowingStream<WebSocketFrame, any Error>.Continuation

    init(_ continuation: AsyncThrowingStream<WebSocketFrame, any Error>.Continuation) {
      self.continuation = continuation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      continuation.yield(unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) { continuation.finish() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      continuation.finish(throwing: error)
    }
  }

  /// Reads the answer to the upgrade and takes itself away.
  private final class AnswerReader: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    private var received = ByteBuffer()
    private let status: EventLoopPromise<String>
    private let continuation: AsyncThrowingStream<WebSocketFrame, any Error>.Continuation

    init(
      _ status: EventLoopPromise<String>,
      _ continuation: AsyncThrowingStream<WebSocketFrame, any Error>.Continuation
    ) {
      self.status = status
      self.continuation = continuation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      var bytes = unwrapInboundIn(data)
      received.writeBuffer(&bytes)
      let text = String(buffer: received)
      guard let end = text.firstRange(of: "\r\n\r\n") else { return }
      received.moveReaderIndex(forwardBy: text[..<end.upperBound].utf8.count)
      do {
        let decoder = WebSocketFrameDecoder(maxFrameSize: 1 << 24)
        try context.pipeline.syncOperations.addHandler(ByteToMessageHandler(decoder))
        try context.pipeline.syncOperations.addHandler(Collector(continuation))
      } catch { context.fireErrorCaught(error) }
      status.succeed(String(text.prefix { $0 != "\r\n" }))
      context.fireChannelRead(wrapInboundOut(received))
      context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { status.fail(ChannelError.eof) }
  }

  private(set) var status: String

  init(host: String = "127.0.0.1", port: Int, target: String) async throws {
    let (stream, continuation) = AsyncThrowingStream.makeStream(of: WebSocketFrame.self)
    frames = stream
    iterator = stream.makeAsyncIterator()
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let status = loop.makePromise(of: String.self)
    do {
      // A machine that is busy may need long for it.
      channel = try await ClientBootstrap(group: loop)
        .connectTimeout(.hours(1))
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(AnswerReader(status, continuation))
          }
        }
        .connect(host: host, port: port).get()
    } catch {
      status.fail(error)
      throw error
    }
    let request =
      "GET \(target) HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    try await channel.writeAndFlush(ByteBuffer(string: request))
    self.status = try await status.futureResult.get()
  }

  mutating func next() async throws -> WebSocketFrame? { try await iterator.next() }

  /// The next data message as text, other frames left out; nil at the end.
  mutating func nextText() async throws -> String? {
    while let frame = try await next() {
      if frame.opcode == .text { return String(buffer: frame.data) }
    }
    return nil
  }

  mutating func texts(_ count: Int) async throws -> [String] {
    var texts: [String] = []
    while texts.count < count, let text = try await nextText() { texts.append(text) }
    return texts
  }

  func send(_ opcode: WebSocketOpcode, _ text: String, masked: Bool = true) async throws {
    let mask: WebSocketMaskingKey? = masked ? .random() : nil
    let bytes = try serverFrame(opcode, Array(text.utf8), mask: mask)
    try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
  }

  /// Reads no more, so that what is sent to it piles up.
  func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }

  func close() async throws { try await channel.close() }
}
