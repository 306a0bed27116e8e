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

/// One connection that answers messages with themselves, until the server ends it.
private final class EchoClient: FeedConnectionOwner {
  private let ended: EventLoopPromise<String?>
  private var first: String?
  let mayRead = true

  private init(ended: EventLoopPromise<String?>) { self.ended = ended }

  /// - Returns: the beginning of the first message that the server sent.
  static func run(_ url: String) async throws -> String? {
    let endpoint = try FeedEndpoint(url: url, testnet: true)
    let target = FeedTarget(endpoint: endpoint, streams: [])
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let channel = try await ClientBootstrap(group: loop)
      .channelOption(.autoRead, value: false)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .connect(host: endpoint.host, port: endpoint.port).get()
    return try await loop.flatSubmit {
      guard channel.isActive else { return loop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
      let ended = loop.makePromise(of: String?.self)
      let client = EchoClient(ended: ended)
      do {
        try channel.pipeline.syncOperations.addHandler(
          FeedConnection(
            id: .init(number: 1), endpoint: endpoint, target: target, owner: client, wallClock: { 0 },
            echo: { client.answer($1, isText: $2, on: $0) }))
      } catch {
        ended.fail(error)
      }
      return ended.futureResult
    }.get()
  }

  private func answer(_ message: ByteBuffer, isText: Bool, on connection: FeedConnection) {
    if first == nil { first = String(decoding: message.readableBytesView.prefix(20), as: UTF8.self) }
    connection.write(ClientFrame.bytes(isText ? .text : .binary, payload: message, mask: .random()))
  }

  func opened(_ connection: FeedConnection) {}
  func refused(
    _ streams: [String], _ failure: RequestAnswer.Failure, by connection: FeedConnection
  ) {}
  func arrived(_ connection: FeedConnection) {}
  func received(_ intake: Intake, from connection: FeedConnection) {}
  func serverWillClose(_ connection: FeedConnection) {}
  func ended(_ connection: FeedConnection, _ reason: FeedError) { ended.succeed(first) }
}
