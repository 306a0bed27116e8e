import Ingest
import Simulate
import Testing
import WAL

/// The whole feed against a simulated exchange over real sockets.
@Suite(.timeLimit(.minutes(1))) struct FeedLoopbackTests {
  static let streams = ["btcusdt@miniTicker", "ethusdt@trade", "bnbusdt@bookTicker", "solusdt@kline_1m"]

  @Test func `every message of combined streams is in the log, byte for byte and in order`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange {
      $0.messageLimit = 20_000
      $0.recordFile = fixture.folder.file("sent")
    }
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams)
    try await fixture.running(feed) {
      try await fixture.waitForHead(20_000)
    }
    try await exchange.stop()
    let ticks = try fixture.ticks()
    let received = ticks.map { "{\"stream\":\"\($0.stream)\",\"data\":\($0.payload)}" }
    #expect(try received == fixture.folder.lines(of: "sent"))
    #expect(Set(ticks.map(\.stream)) == Set(Self.streams))
    #expect(try fixture.gaps().map(\.cause) == ["shutdown"])
  }
}
