import Base
import NIOCore
import NIOPosix
import NIOSSL
import WAL

/// A single connection to the exchange, opened as a feed opens its own and ended at once: a look whether it works.
/// Keeps nothing, and does not count as an attempt of the feed's.
package enum FeedProbe {
  /// Returns when the exchange has opened a WebSocket for the first of the streams.
  ///
  /// - Parameter limit: for all of it, from the name to the answer.
  /// - Throws: `FeedError` with the reason why not; `CancellationError`.
  package static func open(_ configuration: FeedConfiguration, within limit: Duration) async throws {
    let security =
      configuration.endpoint.isSecure ? try TrustRoots.context(caBundle: configuration.caBundle) : nil
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let opened = loop.makePromise(of: Void.self)
    loop.execute {
      Probe(configuration, security, opened: opened, loop: loop.assumeIsolated()).start(within: limit)
    }
    try await withTaskCancellationHandler {
      try await opened.futureResult.get()
    } onCancel: {
      opened.fail(CancellationError())
    }
  }
}

/// The owner of the connection of a probe. Lives on one event loop.
private final class Probe: FeedConnectionOwner {
  private let configuration: FeedConfiguration
  private let security: NIOSSLContext?
  private let promise: EventLoopPromise<Void>
  private let loop: NIOIsolatedEventLoop
  private var dial: Dial?
  private var connection: FeedConnection?
  private var limit: Scheduled<Void>?

  init(
    _ configuration: FeedConfiguration, _ security: NIOSSLContext?, opened: EventLoopPromise<Void>,
    loop: NIOIsolatedEventLoop
  ) {
    self.configuration = configuration
    self.security = security
    promise = opened
    self.loop = loop
  }

  func start(within time: Duration) {
    limit = loop.scheduleTask(in: TimeAmount(time)) { self.timedOut(after: time) }
    let dial = Dial(HostAddresses(HostLookup.system, loop: loop), loop: loop)
    self.dial = dial
    dial.start(configuration.endpoint) { result in
      switch result {
      case .success(let channel): self.reached(channel)
      case .failure(let error): self.finish(.failure(error))
      }
    }
  }

  private func reached(_ channel: any Channel) {
    dial = nil
    let streams = Array(configuration.streams.prefix(1))
    let connection = FeedConnection(
      id: FeedSession.ConnectionID(number: 1), endpoint: configuration.endpoint,
      target: FeedTarget(endpoint: configuration.endpoint, streams: streams), owner: self,
      limits: configuration.limits, wallClock: WallClock.now)
    self.connection = connection
    do {
      guard channel.isActive else { throw ChannelError.ioOnClosedChannel }
      if let security {
        let name = configuration.endpoint.isHostName ? configuration.endpoint.host : nil
        try channel.pipeline.syncOperations.addHandler(
          NIOSSLClientHandler(context: security, serverHostname: name))
      }
      try channel.pipeline.syncOperations.addHandler(connection)
    } catch {
      channel.close(promise: nil)
      finish(.failure(FeedError(.connectFailed, NetworkTrouble.text(error))))
    }
  }

  private func timedOut(after time: Duration) {
    let phase = dial?.phase ?? connection?.phase ?? "the server"
    finish(
      .failure(
        FeedError(.timedOut, "not open after \(Figures.duration(time)), still waiting for \(phase)")))
  }

  private func finish(_ result: Result<Void, FeedError>) {
    limit?.cancel()
    dial?.abandon()
    dial = nil
    let over = connection
    connection = nil
    over?.close()
    promise.completeWith(result.mapError { $0 as any Error })
  }

  // MARK: The connection's reports

  var mayRead: Bool { true }
  func turned() {}
  func opened(_ connection: FeedConnection) { finish(.success(())) }
  func judged(_ verdict: Subscriptions.Verdict, by connection: FeedConnection) {}
  func received(_ intake: Intake, from connection: FeedConnection) {}
  func arrived(_ connection: FeedConnection) {}
  func answered(_ connection: FeedConnection) {}
  func serverWillClose(_ connection: FeedConnection) {}
  func ended(_ connection: FeedConnection, _ reason: FeedError) {
    guard self.connection != nil else { return }
    finish(.failure(reason))
  }
}
