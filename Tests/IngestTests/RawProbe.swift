import NIOCore
import NIOPosix

/// Asks for an upgrade and collects the bytes that come, up to the connection's end.
enum RawProbe {
  /// All bytes, and the error that the connection ended with.
  static func collect(host: String = "127.0.0.1", port: Int, target: String) async throws -> Collected {
    try await open(host: host, port: port, target: target).get()
  }

  /// Returns when it is connected and has asked, with what will have come in the end.
  static func open(host: String, port: Int, target: String) async throws -> EventLoopFuture<Collected> {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let end = loop.makePromise(of: Collected.self)
    let channel = try await ClientBootstrap(group: loop)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Collector(end))
        }
      }
      .connect(host: host, port: port).get()
    let request =
      "GET \(target) HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    try await channel.writeAndFlush(ByteBuffer(string: request))
    return end.futureResult
  }

  /// Connects, says nothing, and goes away.
  static func knock(port: Int) async throws {
    try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: "127.0.0.1", port: port).get().close()
  }

  struct Collected: Sendable {
    var bytes = ByteBuffer()
    var failure: (any Error)?
  }

  private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private var collected = Collected()
    private let end: EventLoopPromise<Collected>

    init(_ end: EventLoopPromise<Collected>) { self.end = end }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      var bytes = unwrapInboundIn(data)
      collected.bytes.writeBuffer(&bytes)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { collected.failure = error }

    func channelInactive(context: ChannelHandlerContext) { end.succeed(collected) }
  }
}
