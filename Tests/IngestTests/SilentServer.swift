import NIOCore
import NIOPosix

/// Accepts connections and never says a word.
struct SilentServer {
  private let channel: any Channel
  let port: Int

  static func start() async throws -> SilentServer {
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelOption(.autoRead, value: true)
      .bind(host: "127.0.0.1", port: 0).get()
    return SilentServer(channel: channel, port: channel.localAddress?.port ?? 0)
  }

  func stop() async throws { try await channel.close() }
}
