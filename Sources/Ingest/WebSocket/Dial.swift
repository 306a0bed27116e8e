import NIOCore
import NIOPosix

/// One attempt to reach the exchange's server over TCP, which can be given up at any moment.
///
/// Lives on the feed's event loop, as the sockets that it opens do.
final class Dial {
  private let loop: NIOIsolatedEventLoop
  /// One for each address of the host that is being tried.
  private var candidates: [any Channel] = []
  private var isAbandoned = false

  /// For one address; a host that has several is tried at the next.
  private static let timeout = TimeAmount.seconds(10)

  init(loop: NIOIsolatedEventLoop) { self.loop = loop }

  /// - Parameter done: called once, unless the attempt is abandoned: with a channel that does not read by
  ///   itself and has no handlers yet.
  func start(_ endpoint: FeedEndpoint, _ done: @escaping (Result<any Channel, FeedError>) -> Void) {
    let dial = NIOLoopBound(self, eventLoop: loop.nonisolated())
    ClientBootstrap(group: loop.nonisolated())
      .connectTimeout(Self.timeout)
      .channelOption(.autoRead, value: false)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        dial.value.began(channel)
        return channel.eventLoop.makeSucceededVoidFuture()
      }
      .connect(host: endpoint.host, port: endpoint.port)
      .assumeIsolated()
      .whenComplete { result in
        // In the loop's next turn, because the channel announces that it is active only after this callback,
        // and handlers added now would begin twice.
        self.loop.execute { self.finish(result, done) }
      }
  }

  /// Closes what is open of it, at once.
  func abandon() {
    isAbandoned = true
    for channel in candidates { channel.close(promise: nil) }
    candidates = []
  }

  private func began(_ channel: any Channel) {
    if isAbandoned { return channel.close(promise: nil) }
    candidates.append(channel)
  }

  private func finish(
    _ result: Result<any Channel, any Error>, _ done: (Result<any Channel, FeedError>) -> Void
  ) {
    candidates = []
    switch result {
    case .success(let channel) where isAbandoned: channel.close(promise: nil)
    case .success(let channel): done(.success(channel))
    case .failure where isAbandoned: break
    case .failure(let error):
      done(.failure(FeedError(.connectFailed, "cannot connect: \(Self.short(error))")))
    }
  }

  private static func short(_ error: any Error) -> String {
    guard let error = error as? NIOConnectionError else { return "\(error)" }
    if let first = error.connectionErrors.first { return "\(first.error)" }
    return (error.dnsAError ?? error.dnsAAAAError).map { "\($0)" } ?? "\(error)"
  }
}
