import Base
import NIOCore
import NIOPosix

/// One attempt to reach the exchange's server, its name and then TCP, which can be given up at any moment.
///
/// Lives on the feed's event loop, as the sockets that it opens do.
final class Dial {
  private let loop: NIOIsolatedEventLoop
  private let addresses: HostAddresses
  /// One for each address of the host that is being tried.
  private var candidates: [any Channel] = []
  private var isOver = false
  private var lookupLimit: Scheduled<Void>?
  /// The thing that it waits for, for a message about one that takes too long.
  private(set) var phase = "an answer from DNS"

  /// Longer than the system's resolver waits, with its usual settings and one server: then it is the one to say
  /// what is wrong.
  static let lookupTimeout = Duration.seconds(15)
  /// For all addresses together.
  static let timeout = Duration.seconds(10)

  init(_ addresses: HostAddresses, loop: NIOIsolatedEventLoop) {
    self.addresses = addresses
    self.loop = loop
  }

  /// - Parameter done: called once, unless the attempt is abandoned: with a channel that does not read by
  ///   itself and has no handlers yet.
  func start(_ endpoint: FeedEndpoint, _ done: @escaping (Result<any Channel, FeedError>) -> Void) {
    lookupLimit = loop.scheduleTask(in: TimeAmount(Self.lookupTimeout)) {
      self.fail(
        FeedError(
          .lookupFailed,
          "no answer from DNS for the name \(endpoint.host) within \(Figures.duration(Self.lookupTimeout))"),
        done)
    }
    addresses.find(endpoint.host, port: endpoint.port) { result in
      guard !self.isOver else { return }
      self.lookupLimit?.cancel()
      switch result {
      case .success(let found) where found.isEmpty:
        self.fail(FeedError(.lookupFailed, "DNS knows no address of the name \(endpoint.host)"), done)
      case .success(let found): self.connect(endpoint, found, done)
      case .failure(let error as FeedError): self.fail(error, done)
      case .failure(let error):
        self.fail(FeedError(.lookupFailed, "the name \(endpoint.host) cannot be looked up (\(error))"), done)
      }
    }
  }

  /// Closes what is open of it, at once.
  func abandon() {
    isOver = true
    lookupLimit?.cancel()
    for channel in candidates { channel.close(promise: nil) }
    candidates = []
  }

  private func connect(
    _ endpoint: FeedEndpoint, _ found: [SocketAddress],
    _ done: @escaping (Result<any Channel, FeedError>) -> Void
  ) {
    phase = "an answer to the TCP connection"
    let dial = NIOLoopBound(self, eventLoop: loop.nonisolated())
    ClientBootstrap(group: loop.nonisolated())
      .connectTimeout(TimeAmount(Self.timeout))
      .resolver(FoundAddresses(found, loop: loop.nonisolated()))
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
        self.loop.execute { self.finish(result, found, done) }
      }
  }

  private func began(_ channel: any Channel) {
    if isOver { return channel.close(promise: nil) }
    candidates.append(channel)
  }

  private func finish(
    _ result: Result<any Channel, any Error>, _ tried: [SocketAddress],
    _ done: (Result<any Channel, FeedError>) -> Void
  ) {
    candidates = []
    switch result {
    case .success(let channel) where isOver: channel.close(promise: nil)
    case .success(let channel):
      isOver = true
      done(.success(channel))
    case .failure where isOver: break
    case .failure(let error):
      addresses.failed(tried)
      fail(FeedError(.connectFailed, "cannot connect: \(NetworkTrouble.text(error))"), done)
    }
  }

  private func fail(_ error: FeedError, _ done: (Result<any Channel, FeedError>) -> Void) {
    isOver = true
    done(.failure(error))
  }
}

/// The answer to a look-up that has been made already.
private struct FoundAddresses: Resolver, Sendable {
  private let v4: [SocketAddress]
  private let v6: [SocketAddress]
  private let loop: any EventLoop

  init(_ addresses: [SocketAddress], loop: any EventLoop) {
    v4 = addresses.filter { $0.protocol == .inet }
    v6 = addresses.filter { $0.protocol == .inet6 }
    self.loop = loop
  }

  // Neither at once: who asks is not ready for an answer before it has asked both.
  func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { loop.submit { v4 } }
  func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { loop.submit { v6 } }
  func cancelQueries() {}
}
