import Ingest
import Testing

@Suite struct FeedAddressTests {
  @Test(
    arguments: [
      (nil, true, true, "stream.testnet.binance.vision", 443),
      (nil, false, true, "stream.binance.com", 9443),
      ("ws://localhost:8080", true, false, "localhost", 8080),
      ("WSS://Example.org", true, true, "Example.org", 443),
      ("ws://10.0.0.1/", true, false, "10.0.0.1", 80),
      ("wss://[2001:db8::1]:444", true, true, "2001:db8::1", 444),
    ] as [(String?, Bool, Bool, String, Int)])
  func `the streams are asked for at the server that is meant`(
    _ url: String?, _ testnet: Bool, _ isSecure: Bool, _ host: String, _ port: Int
  ) throws {
    let address = try FeedAddress(url: url, testnet: testnet, streams: ["btcusdt@miniTicker", "!ticker@arr"])
    #expect(address.isSecure == isSecure)
    #expect(address.host == host)
    #expect(address.port == port)
    #expect(address.target == "/stream?streams=btcusdt@miniTicker/!ticker@arr")
    #expect(address.rawStream == nil)
  }

  @Test func `names are percent-encoded`() throws {
    let address = try FeedAddress(url: "ws://h", testnet: true, streams: ["a b&c=d", "ü/%+", "x~-._"])
    #expect(address.target == "/stream?streams=a%20b%26c%3Dd/%C3%BC%2F%25%2B/x~-._")
  }

  @Test(
    arguments: [
      ("ws://h/ws/btcusdt@trade", "/ws/btcusdt@trade", "btcusdt@trade"),
      ("ws://h/ws/btcusdt%40trade", "/ws/btcusdt%40trade", "btcusdt@trade"),
      ("ws://h/ws/a@trade/b@trade", "/ws/a@trade/b@trade", nil),
      ("ws://h/ws/!miniTicker@arr", "/ws/!miniTicker@arr", nil),
      ("ws://h/ws", "/ws", nil),
      ("ws://h/other?x=/y", "/other?x=/y", nil),
      ("ws://h?x=y", "/?x=y", nil),
    ] as [(String, String, String?)])
  func `a path of its own is kept as it is`(_ url: String, _ target: String, _ rawStream: String?) throws {
    let address = try FeedAddress(url: url, testnet: true, streams: ["a@b"])
    #expect(address.target == target)
    #expect(address.rawStream == rawStream)
  }

  @Test(arguments: [
    "", "http://h", "h:80", "ws://", "ws://:80", "ws://h:0", "ws://h:65536", "ws://h:+80", "ws://h:x",
    "ws://::1", "ws://[::1", "ws://[::1]x", "ws://h/#part", "ws://h/a b", "ws://hé",
  ])
  func `what is no WebSocket URL is refused`(_ url: String) {
    #expect { try FeedAddress(url: url, testnet: true, streams: ["a@b"]) } throws: {
      ($0 as? FeedError)?.code == .badAddress
    }
  }

  @Test func `a password in the URL is refused and not shown`() {
    #expect { try FeedAddress(url: "ws://me:secret@h", testnet: true, streams: ["a@b"]) } throws: {
      ($0 as? FeedError)?.code == .badAddress && !"\($0)".contains("secret")
    }
  }

  @Test func `no streams and more than a connection takes are refused`() throws {
    let names = (0..<1024).map { "s\($0)@trade" }
    _ = try FeedAddress(url: nil, testnet: true, streams: names)
    #expect { try FeedAddress(url: nil, testnet: true, streams: names + ["one@more"]) } throws: {
      ($0 as? FeedError)?.code == .tooManyStreams
    }
    #expect { try FeedAddress(url: nil, testnet: true, streams: []) } throws: {
      ($0 as? FeedError)?.code == .noStreams
    }
  }
}
