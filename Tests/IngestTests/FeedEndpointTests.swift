import Testing

@testable import Ingest

@Suite struct FeedEndpointTests {
  @Test(
    arguments: [
      (nil, true, true, "stream.testnet.binance.vision", 443),
      (nil, false, true, "stream.binance.com", 9443),
      ("ws://localhost:8080", true, false, "localhost", 8080),
      ("WSS://Example.org", true, true, "Example.org", 443),
      ("ws://10.0.0.1/", true, false, "10.0.0.1", 80),
      ("wss://[2001:db8::1]:444", true, true, "2001:db8::1", 444),
    ] as [(String?, Bool, Bool, String, Int)])
  func `a URL says the server, its port and whether it is secured`(
    _ url: String?, _ testnet: Bool, _ isSecure: Bool, _ host: String, _ port: Int
  ) throws {
    let endpoint = try FeedEndpoint(url: url, testnet: testnet)
    #expect(endpoint.isSecure == isSecure)
    #expect(endpoint.host == host)
    #expect(endpoint.port == port)
    #expect(endpoint.ownTarget == nil)
  }

  @Test(arguments: [
    "", "http://h", "h:80", "ws://", "ws://:80", "ws://h:0", "ws://h:65536", "ws://h:+80", "ws://h:x",
    "ws://::1", "ws://[::1", "ws://[::1]x", "ws://h/#part", "ws://h/a b", "ws://hé",
  ])
  func `what is no WebSocket URL is refused`(_ url: String) {
    #expect { try FeedEndpoint(url: url, testnet: true) } throws: {
      ($0 as? FeedError)?.code == .badAddress
    }
  }

  @Test(arguments: [
    ("ws://h", "/stream?streams=…"), ("ws://h/market/ws/?listenKey=hunter2", "/market/stream?streams=…"),
    ("ws://h/ws/a@b?listenKey=hunter2", "/ws/a@b?listenKey=***"),
  ])
  func `what it asks for is shown without what may be a secret`(_ url: String, _ text: String) throws {
    #expect(try FeedEndpoint(url: url, testnet: true).shownTarget == text)
  }

  @Test func `a password in the URL is refused and not shown`() {
    #expect { try FeedEndpoint(url: "ws://me:secret@h", testnet: true) } throws: {
      ($0 as? FeedError)?.code == .badAddress && !"\($0)".contains("secret")
    }
  }
}
