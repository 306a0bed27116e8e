import Base
import CoreMetrics
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Answers HTTP clients who observe, on an event loop of its own: none of them holds up anything else.
final class HTTPServer: Sendable {
  /// Clients at a time; one more is turned away at once.
  static let mostClients = 64
  /// Bytes of one request.
  static let mostBytes = 16 << 10
  static let readingTime = Duration.seconds(10)
  static let answeringTime = Duration.seconds(10)
  static let writingTime = Duration.seconds(10)
  /// Between two tries to listen.
  static let retryPause = Duration.seconds(60)

  enum State: Sendable, Equatable {
    case off
    case listening(String)
    /// The reason why nobody listens; it is tried again.
    case failed(String)

    /// For `status`.
    var text: String {
      switch self {
      case .off: "off"
      case .listening(let address): "http://\(address)/"
      case .failed(let why): "not served: \(why); tried again every minute"
      }
    }
  }

  private let settings: ObserveSettings
  private let state: Mutex<State>
  private let clients = Atomic<Int>(0)
  private let respond: @Sendable (HTTPRoute) async -> HTTPReply
  private let logger: Logger
  private let results = Dictionary(
    uniqueKeysWithValues: HTTPResult.allCases.map {
      ($0, Counter(label: "http_requests_total", dimensions: [("result", $0.rawValue)]))
    })

  /// - Parameter state: where the server says how it stands.
  init(
    _ settings: ObserveSettings, logger: Logger, respond: @escaping @Sendable (HTTPRoute) async -> HTTPReply
  ) {
    self.settings = settings
    self.logger = logger
    self.respond = respond
    state = Mutex(.off)
  }

  var current: State { state.withLock { $0 } }

  /// Serves until it is cancelled. Trouble with the address ends nothing.
  func run() async throws {
    guard let address = settings.listen else { return }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    do {
      try await serve(address, on: group)
    } catch {
      try await group.shutdownGracefully()
      throw error
    }
    try await group.shutdownGracefully()
  }

  private func serve(_ address: ListenAddress, on group: MultiThreadedEventLoopGroup) async throws {
    var hasSaid = false
    while true {
      do {
        let channel = try await listen(address, on: group)
        let place = channel.localAddress.map { Self.text($0) } ?? address.description
        state.withLock { $0 = .listening(place) }
        logger.notice("metrics, health and status are served over HTTP", metadata: ["address": "\(place)"])
        // Closed with its group, when this is cancelled.
        return try await withTaskCancellationHandler {
          try await channel.closeFuture.get()
        } onCancel: {
          channel.close(promise: nil)
        }
      } catch {
        try Task.checkCancellation()
        let why = "\(address): \((error as? IOError).map { SystemError.text($0.errnoCode) } ?? "\(error)")"
        state.withLock { $0 = .failed(why) }
        if !hasSaid {
          logger.error(
            "HTTP cannot be served, everything else goes on: it is tried again every minute; free the port, or set HTTP_LISTEN",
            metadata: ["address": "\(address)", "error": "\(why)"])
        }
        hasSaid = true
        try await ContinuousClock().sleep(for: Self.retryPause)
      }
    }
  }

  private func listen(
    _ address: ListenAddress, on group: MultiThreadedEventLoopGroup
  ) async throws -> any Channel {
    try await ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 128)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelInitializer { channel in
        // Out of files, the clients that wait are taken later.
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
        }
      }
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try self.accept(channel) }
      }
      .bind(host: address.host, port: address.port).get()
  }

  /// On the loop of the client.
  private func accept(_ channel: any Channel) throws {
    guard clients.wrappingAdd(1, ordering: .relaxed).newValue <= Self.mostClients else {
      clients.wrappingSubtract(1, ordering: .relaxed)
      count(.tooMany)
      throw ChannelError.operationUnsupported
    }
    channel.closeFuture.whenComplete { _ in self.clients.wrappingSubtract(1, ordering: .relaxed) }
    try serve(channel.pipeline.syncOperations)
  }

  /// One client's way in and out.
  func serve(_ pipeline: ChannelPipeline.SynchronousOperations) throws {
    try pipeline.addHandler(RequestLimit(bytes: Self.mostBytes))
    try pipeline.addHandler(HTTPResponseEncoder())
    try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
    try pipeline.addHandler(HTTPClientHandler(self))
  }

  func answer(_ route: HTTPRoute) async -> HTTPReply { await respond(route) }
  func count(_ result: HTTPResult) { results[result]?.increment() }

  /// The hosts by which a client may have called this server.
  func names(of channel: any Channel) -> Set<String> {
    var names = Set(settings.allowedHosts + ["localhost"])
    if let host = settings.listen?.host { names.insert(host.lowercased()) }
    if let own = channel.localAddress?.ipAddress { names.insert(own.lowercased()) }
    return names
  }

  private static func text(_ address: SocketAddress) -> String {
    let host = address.ipAddress ?? "?"
    return "\(host.contains(":") ? "[\(host)]" : host):\(address.port ?? 0)"
  }
}
