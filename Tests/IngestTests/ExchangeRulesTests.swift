import NIOCore
import NIOWebSocket
import Testing

@testable import Simulate

@Suite(.timeLimit(.minutes(3))) struct ExchangeRulesTests {
  @Test func `the market goes on while nobody is connected`() async throws {
    let exchange = try await startMarket()
    var probe = try await WebSocketProbe(port: exchange.port, target: "/ws/btcusdt@trade")
    let last = try await tradeNumber(probe.texts(5).last)
    try await probe.close()
    try await require("an empty market") { try await exchange.statistics.connectionsOpen == 0 }
    let left = try await exchange.statistics.messages
    try await require("messages for nobody") { try await exchange.statistics.messages >= left + 100 }
    var again = try await WebSocketProbe(port: exchange.port, target: "/ws/btcusdt@trade")
    #expect(try await tradeNumber(again.nextText()) > last + 100)
    try await exchange.stop()
  }

  private func tradeNumber(_ text: String?) throws -> Int {
    let rest = try #require(text?.split(separator: "\"t\":").last)
    return try #require(Int(rest.prefix { $0.isNumber }))
  }

  @Test func `a client that does not read is dropped and does not hold up the others`() async throws {
    let exchange = try await startMarket {
      $0.clientBacklog = 1024 * 1024
      $0.listedSymbols = (0..<500).map { "SYM\($0)USDT" }
    }
    let slow = try await WebSocketProbe(port: exchange.port, target: "/ws/!miniTicker@arr")
    try await slow.stopReading()
    var quick = try await WebSocketProbe(port: exchange.port, target: "/ws/btcusdt@trade")
    while try await exchange.statistics.slowClients == 0 { _ = try #require(try await quick.nextText()) }
    #expect(try await quick.texts(20).count == 20)
    try await exchange.stop()
  }

  @Test func `too many messages in a second end a connection where the rules are enforced, and only there`()
    async throws
  {
    let lax = try await startMarket()
    var free = try await WebSocketProbe(port: lax.port, target: "/ws/btcusdt@trade")
    #expect(try await pings(20, &free) == nil)
    #expect(try await lax.statistics.violations.isEmpty)
    try await lax.stop()

    let strict = try await startMarket { $0.isStrict = true }
    // A busy exchange cannot tell that they came at once, so until it has been idle for a moment; and what it says is
    // lost where the end overtakes it.
    var closing: ByteBuffer?
    var tries = 0
    while closing == nil {
      tries += 1
      var probe = try await WebSocketProbe(port: strict.port, target: "/ws/btcusdt@trade")
      closing = try await pings(20, &probe)
    }
    #expect(closing == ByteBuffer(bytes: [0x03, 0xf0]))
    let statistics = try await strict.statistics
    #expect(Set(statistics.violations.keys) == [.messages] && statistics.mostClientMessages == 6)
    #expect((1...tries).contains(statistics.violations[.messages] ?? 0))
    try await strict.stop()
  }

  /// Sends pings at once and waits for all answers. Returns what a close frame said, if one came instead.
  private func pings(_ count: Int, _ probe: inout WebSocketProbe) async throws -> ByteBuffer? {
    do {
      for number in 0..<count { try await probe.send(.ping, String(number)) }
    } catch ChannelError.ioOnClosedChannel {
      // It was quick; what it said is still to be read.
    } catch is IOError {
      return nil
    }
    var pongs = 0
    do {
      while pongs < count, let frame = try await probe.next() {
        if frame.opcode == .pong { pongs += 1 }
        if frame.opcode == .connectionClose { return frame.data }
      }
    } catch is IOError {
      // Its end has overtaken what it said.
    }
    return nil
  }

  @Test func `only what was certainly within one second counts as such`() {
    let start = NIODeadline.now()
    func count(_ arrivals: [(now: Int64, earliest: Int64)]) -> [Int] {
      var counter = SlidingCount(span: .seconds(1))
      return arrivals.map {
        counter.add(at: start + .milliseconds($0.now), earliest: start + .milliseconds($0.earliest))
      }
    }
    #expect(count([(0, 0), (0, 0), (200, 200), (999, 999)]) == [1, 2, 3, 4])
    #expect(count([(0, 0), (500, 500), (1000, 1000), (1500, 1500)]) == [1, 2, 2, 2])
    // Found together after a hold-up of 600 ms: they may have come up to so much earlier.
    #expect(count([(600, 0), (600, 0), (1000, 999)]) == [1, 2, 1])
    // The earliest time cannot be later than now.
    #expect(count([(0, 500), (1000, 1000)]) == [1, 1])
  }

  @Test func `more than 1,024 streams end a connection where the rules are enforced`() async throws {
    let exchange = try await startMarket { $0.isStrict = true }
    let names = (0..<1025).map { "\"s\($0)@none\"" }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/stream")
    try await probe.send(
      .text, #"{"method":"SUBSCRIBE","params":[\#(names.dropLast().joined(separator: ","))],"id":1}"#)
    #expect(try await probe.nextText() == #"{"result":null,"id":1}"#)
    try await probe.send(.text, #"{"method":"SUBSCRIBE","params":[\#(names[1024])],"id":2}"#)
    var last: WebSocketFrame?
    while let frame = try await probe.next(), last?.opcode != .connectionClose { last = frame }
    #expect(last?.opcode == .connectionClose)
    #expect(try await exchange.statistics.violations == [.streams: 1])
    try await exchange.stop()
  }

  @Test func `the 301st attempt in five minutes is refused where the rules are enforced`() async throws {
    let start = NIODeadline.now()
    var door = Admission(isStrict: true, seed: 1)
    func attempt(_ address: String, _ seconds: Int64) -> Int? {
      let count = door.attempt(from: address, at: start + .seconds(seconds))
      return door.judge(attempts: count, faults: ExchangeFaults())?.status
    }
    for second in 0..<300 { #expect(attempt("a", Int64(second) / 2) == nil) }
    #expect(attempt("a", 299) == 429)
    #expect(attempt("b", 299) == nil)
    #expect(attempt("a", 460) == nil)

    let exchange = try await startMarket { $0.isStrict = true }
    for _ in 0..<300 { try await RawProbe.knock(port: exchange.port) }
    try await require("300 attempts") { try await exchange.statistics.attempts == 300 }
    let refused = try await WebSocketProbe(port: exchange.port, target: "/ws")
    #expect(refused.status.contains("429"))
    let statistics = try await exchange.statistics
    #expect(statistics.attempts == 301 && statistics.mostAttempts == 301)
    #expect(statistics.violations == [.attempts: 1] && statistics.connectionsRefused == 1)
    try await exchange.stop()
  }

  @Test func `the journal says what was made when, to whom it went, and what became of connections`()
    async throws
  {
    let folder = TemporaryFolder()
    let exchange = try await startMarket {
      $0.journalFile = folder.file("journal")
      $0.faults.afterOpening[.fin] = .milliseconds(100)
    }
    var received: [[String]] = []
    for form in ["/ws/btcusdt@trade", "/stream?streams=btcusdt@trade"] {
      var probe = try await WebSocketProbe(port: exchange.port, target: form)
      var texts: [String] = []
      do {
        while let text = try await probe.nextText() { texts.append(text) }
      } catch {}
      received.append(texts)
      let now = try await exchange.statistics.messages
      try await require("messages for nobody") { try await exchange.statistics.messages >= now + 20 }
    }
    try await exchange.stop()
    let lines = try folder.lines(of: "journal").map {
      $0.split(separator: " ", maxSplits: 4).map(String.init)
    }
    let sent = lines.filter { $0[1] == "sent" }
    #expect(sent.allSatisfy { $0[3] == "btcusdt@trade" })
    // The one that was cut in the middle was handed to nobody.
    #expect(sent.filter { $0[2] == "1" }.map { $0[4] } == received[0])
    #expect(
      sent.filter { $0[2] == "2" }.map { #"{"stream":"btcusdt@trade","data":\#($0[4])}"# } == received[1])
    #expect(sent.count { $0[2] == "-" } >= 40)
    #expect(Set(sent.map { $0[4] }).count == sent.count)
    let times = lines.compactMap { Int64($0[0]) }
    #expect(times.count == lines.count && times == times.sorted())
    let others = lines.filter { $0[1] != "sent" }.map { $0.dropFirst().joined(separator: " ") }
    #expect(
      others == [
        "open 1 1 1", "fault 1 fin", "ended 1 0", "open 2 1 1", "fault 2 fin", "ended 2 0",
      ])
  }
}
