import Ingest
import Simulate
import TestSupport
import Testing

/// `wss://`, with a certificate authority that the test makes itself.
@Suite(.timeLimit(.minutes(4))) struct FeedTLSTests {
  @Test(arguments: [("DNS:localhost", "localhost"), ("IP:127.0.0.1", "127.0.0.1")])
  func `a certificate of a trusted authority for the right name is accepted`(
    _ subject: String, _ host: String
  ) async throws {
    let fixture = try await FeedFixture()
    let authority = try PrivateCA(in: fixture.folder)
    let server = try authority.issue(subject, name: "server")
    let exchange = try await fixture.startExchange {
      $0.tls = .init(certificateFile: server.certificate, keyFile: server.key)
      $0.messageLimit = 5_000
      $0.recordFile = fixture.folder.file("sent")
      $0.faults.messagesWithUpgrade = 10
    }
    let feed = try fixture.makeFeed(
      port: 0, streams: ["btcusdt@trade"], url: "wss://\(host):\(exchange.port)", caBundle: authority.bundle)
    try await fixture.running(feed) {
      try await fixture.waitForHead(5_000)
    }
    try await exchange.stop()
    let received = try fixture.ticks().map { #"{"stream":"btcusdt@trade","data":\#($0.payload)}"# }
    #expect(try received == fixture.folder.lines(of: "sent"))
    try await fixture.log.close()
  }

  @Test(arguments: ["DNS:other.example", "IP:127.0.0.2", "wrong authority", "the system's roots"])
  func `a certificate that is not trusted, or for another name, is refused and said`(_ wrong: String)
    async throws
  {
    var fixture = try await FeedFixture()
    let logs = RecordedLogs()
    fixture.logger = logs.logger
    let authority = try PrivateCA(in: fixture.folder)
    let other = try PrivateCA(in: fixture.folder, name: "other")
    let subject = wrong.contains(":") ? wrong : "DNS:localhost"
    let server = try authority.issue(subject, name: "server")
    let exchange = try await fixture.startExchange {
      $0.tls = .init(certificateFile: server.certificate, keyFile: server.key)
    }
    let host = wrong.hasPrefix("IP:") ? "127.0.0.1" : "localhost"
    let bundle =
      switch wrong {
      case "wrong authority": other.bundle
      case "the system's roots": String?.none
      default: authority.bundle
      }
    let feed = try fixture.makeFeed(
      port: 0, streams: ["btcusdt@trade"], url: "wss://\(host):\(exchange.port)", caBundle: bundle)
    try await fixture.running(feed) {
      try await require("three attempts") { feed.statistics.attempts >= 3 }
    }
    #expect(try await exchange.statistics.connectionsOpened == 0)
    try await exchange.stop()
    #expect(fixture.log.head.rawValue == 0)
    #expect(logs.messages(.warning).count == 1)
    #expect(try fixture.gaps().map(\.cause) == ["refused"])
    try await fixture.log.close()
  }

  @Test func `a bundle that cannot be used is refused at the start`() async throws {
    let fixture = try await FeedFixture()
    let empty = try fixture.folder.write(["nothing"], to: "empty.pem")
    for bundle in [empty, fixture.folder.file("absent.pem")] {
      #expect {
        try fixture.makeFeed(port: 0, streams: ["a@b"], url: "wss://localhost", caBundle: bundle)
      } throws: {
        ($0 as? FeedError)?.code == .badCABundle && "\($0)".contains(bundle)
      }
    }
    try await fixture.log.close()
  }
}
