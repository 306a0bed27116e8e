import Testing

@testable import Ingest

@Suite struct FeedTargetTests {
  private func target(_ url: String, _ streams: [String] = ["a@b", "!c@arr"]) throws -> FeedTarget {
    FeedTarget(endpoint: try FeedEndpoint(url: url, testnet: true), streams: streams)
  }

  @Test(arguments: [
    ("ws://h", "/stream?streams=a@b/!c@arr"), ("ws://h/", "/stream?streams=a@b/!c@arr"),
    ("ws://h?timeUnit=MICROSECOND", "/stream?streams=a@b/!c@arr&timeUnit=MICROSECOND"),
    ("ws://h/?timeUnit=MICROSECOND", "/stream?streams=a@b/!c@arr&timeUnit=MICROSECOND"),
    ("ws://h/?", "/stream?streams=a@b/!c@arr"), ("ws://h/market", "/market/stream?streams=a@b/!c@arr"),
    ("ws://h/public/?x=y", "/public/stream?streams=a@b/!c@arr&x=y"),
    ("ws://h/ws", "/stream?streams=a@b/!c@arr"), ("ws://h/stream", "/stream?streams=a@b/!c@arr"),
    ("ws://h/ws/", "/stream?streams=a@b/!c@arr"), ("ws://h/stream/", "/stream?streams=a@b/!c@arr"),
    ("ws://h/stream?streams=", "/stream?streams=a@b/!c@arr"),
    ("ws://h/stream?streams=&x=y&streams", "/stream?streams=a@b/!c@arr&x=y"),
    ("ws://h/ws?timeUnit=MICROSECOND", "/stream?streams=a@b/!c@arr&timeUnit=MICROSECOND"),
    ("ws://h/market/ws", "/market/stream?streams=a@b/!c@arr"),
    ("ws://h/public/stream/?x=y", "/public/stream?streams=a@b/!c@arr&x=y"),
    ("ws://h/any/proxy/ws", "/any/proxy/stream?streams=a@b/!c@arr"),
  ])
  func `the streams are in the URL, with its own query`(_ url: String, _ text: String) throws {
    let target = try target(url)
    #expect(target.text == text)
    #expect(target.requests.isEmpty && target.rawStream == nil)
  }

  @Test func `names are percent-encoded`() throws {
    let target = try target("ws://h", ["a b&c=d", "ü/%+", "x~-._"])
    #expect(target.text == "/stream?streams=a%20b%26c%3Dd/%C3%BC%2F%25%2B/x~-._")
  }

  @Test(
    arguments: [
      ("ws://h/ws/btcusdt@trade", "/ws/btcusdt@trade", "btcusdt@trade"),
      ("ws://h/ws/btcusdt%40trade", "/ws/btcusdt%40trade", "btcusdt@trade"),
      ("ws://h/ws/a@trade/b@trade", "/ws/a@trade/b@trade", nil),
      ("ws://h/ws/!miniTicker@arr", "/ws/!miniTicker@arr", "!miniTicker@arr"),
      ("ws://h/market/ws/a@b", "/market/ws/a@b", "a@b"),
      ("ws://h/stream?streams=a@b", "/stream?streams=a@b", nil),
      ("ws://h/market/stream?x=y&streams=a@b/c@d", "/market/stream?x=y&streams=a@b/c@d", nil),
      ("ws://h/news", "/news", nil), ("ws://h/ws/a@b/", "/ws/a@b/", nil),
      ("ws://h/ws/a@b?timeUnit=MICROSECOND", "/ws/a@b?timeUnit=MICROSECOND", "a@b"),
      ("ws://h/other?x=/y", "/other?x=/y", nil),
    ] as [(String, String, String?)])
  func `a path of its own is kept as it is, however long the list`(
    _ url: String, _ text: String, _ rawStream: String?
  ) throws {
    let endpoint = try FeedEndpoint(url: url, testnet: true)
    let target = FeedTarget(endpoint: endpoint, streams: (0..<3_000).map { "s\($0)@trade" })
    #expect(target.text == text)
    #expect(target.rawStream == rawStream)
    #expect(target.requests.isEmpty && endpoint.capacity(.binance) == .max)
  }

  @Test func `a target of 4,096 bytes is sent, of one more the streams are subscribed to by message`() throws
  {
    let fitting = String(repeating: "x", count: 4096 - "/stream?streams=&q=1".utf8.count)
    #expect(try target("ws://h?q=1", [fitting]).text.utf8.count == 4096)
    let longer = try target("ws://h?q=1", [fitting + "x"])
    #expect(longer.text == "/stream?q=1")
    #expect(longer.requests.map(\.streams) == [[fitting + "x"]])
    #expect(try target("ws://h", [fitting + "xxxxx"]).text == "/stream")
  }

  @Test func `requests name all streams in their order and stay within 4,096 bytes`() throws {
    let streams = (0..<1_024).map { "symbol\($0)usdt@miniTicker" } + ["a\"b\\c\u{1}ü"]
    let requests = try target("ws://h", streams).requests
    #expect(requests.flatMap(\.streams) == streams)
    #expect(requests.map(\.id) == Array(1...Int64(requests.count)))
    let sizes = requests.map(\.text.utf8.count)
    #expect(sizes.allSatisfy { $0 <= 4096 } && sizes.dropLast().allSatisfy { $0 > 3900 })
    #expect(requests.last?.text.hasSuffix(#""a\"b\\c\u0001ü"],"id":\#(requests.count)}"#) == true)
    #expect(
      requests.first?.text.hasPrefix(#"{"method":"SUBSCRIBE","params":["symbol0usdt@miniTicker","#) == true)
  }
}
