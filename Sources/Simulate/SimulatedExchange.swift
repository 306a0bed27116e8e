import Base
import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// A stand-in exchange that serves Binance's market streams, for tests, demonstrations and load.
///
/// Everything runs on one thread. Prices belong to the exchange, not to a connection: two connections on one
/// stream see the same events, byte for byte.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
package final class SimulatedExchange: Sendable {
  /// The port that it listens on.
  package var port: Int { addresses[0].port }
  /// The places that it listens on: its own, further ones, dead ones, and those that answer with 503.
  package let addresses: [ExchangeConfiguration.Address]

  private let group: MultiThreadedEventLoopGroup
  private let servers: [any Channel]
  private let market: NIOLoopBound<Market>
  private let ended: EventLoopFuture<Void>

  private init(
    addresses: [ExchangeConfiguration.Address], group: MultiThreadedEventLoopGroup, servers: [any Channel],
    market: NIOLoopBound<Market>, ended: EventLoopFuture<Void>
  ) {
    self.addresses = addresses
    self.group = group
    self.servers = servers
    self.market = market
    self.ended = ended
  }

  /// Opens the files, listens, and returns when clients can connect.
  ///
  /// Throws ``ExchangeError``. Call ``stop()`` in the end.
  package static func start(_ configuration: ExchangeConfiguration, logger: Logger) async throws
    -> SimulatedExchange
  {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    do {
      return try await start(configuration, on: group, logger: logger)
    } catch {
      try await group.shutdownGracefully()
      throw error
    }
  }

  private static func start(
    _ configuration: ExchangeConfiguration, on group: MultiThreadedEventLoopGroup, logger: Logger
  ) async throws -> SimulatedExchange {
    let security = try configuration.tls.map(serverContext)
    let loop = group.next()
    let ended = loop.makePromise(of: Void.self)
    let market: NIOLoopBound<Market>
    do {
      market = try await loop.submit {
        let market = try Market(
          configuration: configuration, wallClock: WallClock.now, loop: loop.assumeIsolated(), logger: logger,
          ended: ended)
        return NIOLoopBound(market, eventLoop: loop)
      }.get()
    } catch {
      ended.fail(error)
      throw error
    }
    var servers: [any Channel] = []
    var addresses: [ExchangeConfiguration.Address] = []
    do {
      for (wanted, welcome) in configuration.places {
        let address = wanted.onPort(of: addresses.first)
        let channel = try await listen(on: address, group, security, welcome, market)
        servers.append(channel)
        addresses.append(.init(host: address.host, port: channel.localAddress?.port ?? address.port))
      }
    } catch {
      ended.fail(error)
      throw error
    }
    return SimulatedExchange(
      addresses: addresses, group: group, servers: servers, market: market, ended: ended.futureResult)
  }

  private static func listen(
    on address: ExchangeConfiguration.Address, _ group: MultiThreadedEventLoopGroup,
    _ security: NIOSSLContext?, _ welcome: Welcome, _ market: NIOLoopBound<Market>
  ) async throws -> any Channel {
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 256)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.writeBufferWaterMark, value: .init(low: 256 * 1024, high: 1024 * 1024))
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let security { try pipeline.addHandler(NIOSSLServerHandler(context: security)) }
          switch welcome {
          case .market: try pipeline.addHandler(UpgradeHandler(market: market.value))
          case .unavailable:
            try pipeline.addHandler(UpgradeHandler(market: market.value, refusal: .serviceUnavailable))
          // What nobody handles is read and thrown away.
          case .silence: break
          }
        }
      }
    do {
      return try await bootstrap.bind(host: address.host, port: address.port).get()
    } catch {
      throw ExchangeError(
        code: .listenFailed, subject: "\(address.host):\(address.port)", reason: "\(error)")
    }
  }

  private static func serverContext(_ tls: ExchangeConfiguration.TLS) throws -> NIOSSLContext {
    do {
      let chain = try NIOSSLCertificate.fromPEMFile(tls.certificateFile)
      let key = try NIOSSLPrivateKey(file: tls.keyFile, format: .pem)
      let settings = TLSConfiguration.makeServerConfiguration(
        certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
      return try NIOSSLContext(configuration: settings)
    } catch {
      throw ExchangeError(
        code: .certificateUnusable, subject: "\(tls.certificateFile), \(tls.keyFile)", reason: "\(error)")
    }
  }

  /// Returns when the recording has been played to its end or the limit of messages is reached, which for
  /// made-up prices without a limit is when the exchange stops. Connections stay open.
  ///
  /// Throws ``ExchangeError`` if a file could not be read or written.
  package func waitUntilAllSent() async throws {
    try await ended.get()
  }

  package var statistics: ExchangeStatistics {
    get async throws { try await onMarket { $0.statistics } }
  }

  /// Changes what goes wrong, from the next connection or message on.
  package func setFaults(_ faults: ExchangeFaults) async throws {
    try await onMarket { $0.faults = faults }
  }

  /// Closes every client's connection with a close frame. New ones are taken.
  package func closeConnections() async throws {
    try await onMarket { $0.closeConnections() }
  }

  /// Closes everything and finishes record and journal. Throws ``ExchangeError`` if that failed.
  package func stop() async throws {
    let finished = await result {
      try await self.onMarket { market in
        market.closeConnections()
        try market.finish()
      }
    }
    let closed = await result { for server in self.servers { try await server.close() } }
    try await group.shutdownGracefully()
    try finished.get()
    try closed.get()
  }

  private func result(_ body: () async throws -> Void) async -> Result<Void, any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
  }

  private func onMarket<Value: Sendable>(_ body: @escaping @Sendable (Market) throws -> Value)
    async throws -> Value
  {
    try await market.eventLoop.submit { [market] in try body(market.value) }.get()
  }
}
