import NIOCore
import NIOPosix

/// Accepts connections and never says a word, or never comes to an end with it, or always says the same.
struct SilentServer {
  private let channel: any Channel
  let port: Int

  /// - Parameters:
  ///   - isDripping: whether it sends the head of an answer, byte by byte, without end.
  ///   - answer: what it says to whatever it is asked.
  static func start(
    isDripping: Bool = false, answer: String? = nil, host: String = "127.0.0.1", port: Int = 0
  ) async throws -> SilentServer {
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelOption(.autoRead, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if isDripping { try channel.pipeline.syncOperations.addHandler(Drip()) }
          if let answer { try channel.pipeline.syncOperations.addHandler(Answer(answer)) }
        }
      }
      .bind(host: host, port: port).get()
    return SilentServer(channel: channel, port: channel.localAddress?.port ?? 0)
  }

  func stop() async throws { try await channel.close() }

  private final class Answer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let text: String

    init(_ text: String) { self.text = text }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }
  }

  private final class Drip: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private var task: RepeatedTask?

    func channelActive(context: ChannelHandlerContext) {
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 101 Soon\r\nX: ")), promise: nil)
      let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      task = context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(2)) { _ in
        let (handler, context) = bound.value
        context.writeAndFlush(handler.wrapOutboundOut(ByteBuffer(string: "y")), promise: nil)
      }
    }

    func channelInactive(context: ChannelHandlerContext) { task?.cancel() }
  }
}
