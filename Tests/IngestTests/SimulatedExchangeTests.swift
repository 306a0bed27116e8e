import Logging
import NIOCore
import NIOWebSocket
import Synchronization
import Testing

@testable import Simulate

@Suite(.timeLimit(.minutes(3))) struct SimulatedExchangeTests {
  private func start(_ change: (inout ExchangeConfiguration) -> Void) async throws -> SimulatedExchange {
    var configuration = ExchangeConfiguration()
    // The probe reads as fast as it can and keeps everything. It answers no pings, however long a test takes.
    configuration.messagesPerSecond = 2_000
    configuration.pingInterval = .seconds(3_600)
    change(&configuration)
    return try await SimulatedExchange.start(
      configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  /// Clocks that tick on their own make the same prices carry other times.
  private static func fixedTime() -> @Sendable () -> Int64 { { 1_700_000_000_000 } }

  @Test func `the same seed makes the same messages, another one others`() async throws {
    var seen: [[String]] = []
    for seed: UInt64 in [5, 5, 6] {
      let exchange = try await start {
        $0.source = .madeUp(seed: seed)
        $0.eventTime = Self.fixedTime()
      }
      var probe = try await WebSocketProbe(
        port: exchange.port, target: "/stream?streams=btcusdt@miniTicker/ethusdt@depth@100ms/bnbusdt@kline_1h"
      )
      seen.append(try await probe.texts(60))
      try await probe.close()
      try await exchange.stop()
    }
    #expect(seen[0] == seen[1])
    #expect(seen[0] != seen[2])
    #expect(seen[0].count == 60)
  }

  @Test func `two connections on one stream see the same events, byte for byte`() async throws {
    let exchange = try await start { $0.messagesPerSecond = 2_000 }
    var first = try await WebSocketProbe(port: exchange.port, target: "/ws/btcusdt@trade")
    _ = try await first.texts(10)
    var second = try await WebSocketProbe(port: exchange.port, target: "/ws/btcusdt@trade")
    let late = try await second.texts(100)
    let start = try #require(late.first)
    var early: [String] = []
    while early.count < 100, let text = try await first.nextText() {
      if !early.isEmpty || text == start { early.append(text) }
    }
    #expect(early == late)
    try await exchange.stop()
  }

  @Test func `two events of one stream never carry the same time`() async throws {
    let exchange = try await start { $0.eventTime = Self.fixedTime() }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/ws/btcusdt@miniTicker")
    let times = try await probe.texts(50).map { $0.split(separator: ",")[1] }
    #expect(Set(times).count == 50)
    #expect(times.first == "\"E\":1700000000000")
    try await exchange.stop()
  }

  @Test func `a miniTicker looks like the exchange's`() async throws {
    let exchange = try await start { $0.eventTime = Self.fixedTime() }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/ws/btcusdt@miniTicker")
    let text = try #require(try await probe.nextText())
    let amount = #"\"\d+\.\d{8}\""#
    let shape = try Regex(
      #"\{"e":"24hrMiniTicker","E":\d{13},"s":"BTCUSDT","c":A,"o":A,"h":A,"l":A,"v":A,"q":A\}"#
        .replacing("A", with: amount))
    #expect(text.wholeMatch(of: shape) != nil, "\(text)")
    try await exchange.stop()
  }

  @Test func `an array message has all symbols, those asked for by name among them`() async throws {
    let exchange = try await start { $0.listedSymbols = ["AAAUSDT", "BBBUSDT"] }
    var probe = try await WebSocketProbe(
      port: exchange.port, target: "/stream?streams=cccusdt@trade/!miniTicker@arr")
    var text = ""
    while !text.contains("CCCUSDT") || !text.hasPrefix(#"{"stream":"!miniTicker@arr","data":[{"#) {
      text = try #require(try await probe.nextText())
    }
    #expect(["AAAUSDT", "BBBUSDT", "CCCUSDT"].allSatisfy { text.contains(#""s":"\#($0)""#) })
    try await exchange.stop()
  }

  @Test func `subscriptions change over the open connection`() async throws {
    let exchange = try await start { $0.messagesPerSecond = 1_000 }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/ws")
    try await probe.send(.text, #"{"method":"SUBSCRIBE","params":["btcusdt@trade","x@trade"],"id":1}"#)
    #expect(try await probe.nextText() == #"{"result":null,"id":1}"#)
    #expect(try await probe.nextText()?.contains(#""e":"trade""#) == true)
    try await probe.send(.text, #"{"method":"LIST_SUBSCRIPTIONS","id":"b"}"#)
    #expect(try await Self.answer(&probe) == #"{"result":["btcusdt@trade","x@trade"],"id":"b"}"#)
    try await probe.send(.text, #"{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":null}"#)
    #expect(try await Self.answer(&probe) == #"{"result":null,"id":null}"#)
    #expect(try await probe.texts(5).allSatisfy { $0.contains(#""s":"X""#) })
    try await probe.send(.text, "nonsense")
    #expect(try await Self.answer(&probe)?.contains("Invalid request") == true)
    try await exchange.stop()
  }

  private static func answer(_ probe: inout WebSocketProbe) async throws -> String? {
    while let text = try await probe.nextText() {
      if text.hasPrefix(#"{"result""#) || text.hasPrefix(#"{"error""#) { return text }
    }
    return nil
  }

  @Test func `a client that answers no pings is dropped`() async throws {
    let exchange = try await start {
      $0.pingInterval = .milliseconds(20)
      $0.pongTimeout = .seconds(1)
      $0.messagesPerSecond = 1
    }
    var silent = try await WebSocketProbe(port: exchange.port, target: "/ws/btcusdt@trade")
    var opcodes: [WebSocketOpcode] = []
    // It says nothing at all: what is written to a connection that has ended takes away what lies there to be read.
    while let frame = try await silent.next() {
      opcodes.append(frame.opcode)
      if frame.opcode == .connectionClose { break }
    }
    #expect(opcodes.contains(.ping) && opcodes.last == .connectionClose)
    #expect(try await exchange.statistics.silentClients == 1)
    #expect(try await exchange.statistics.pongs == 0)
    try await exchange.stop()
  }

  @Test func `a pong with another payload answers no ping`() async throws {
    let exchange = try await start {
      $0.pingInterval = .milliseconds(20)
      $0.pongTimeout = .seconds(3_600)
      $0.messagesPerSecond = 1
    }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/ws/btcusdt@trade")
    while let frame = try await probe.next(), frame.opcode != .ping {}
    try await probe.send(.pong, "other")
    // What is answered in turn shows that the pong has been read.
    try await probe.send(.ping, "after it")
    while let frame = try await probe.next(), frame.opcode != .pong {}
    #expect(try await exchange.statistics.pongs == 0)
    try await exchange.stop()
  }

  @Test func `a client that answers pings is kept`() async throws {
    let exchange = try await start {
      $0.pingInterval = .milliseconds(20)
      // A machine that is busy may be late with each of them.
      $0.pongTimeout = .seconds(3_600)
      $0.messagesPerSecond = 1
    }
    var polite = try await WebSocketProbe(port: exchange.port, target: "/ws/btcusdt@trade")
    var answered = 0
    while answered < 30, let frame = try await polite.next() {
      #expect(frame.opcode != .connectionClose)
      guard frame.opcode == .ping else { continue }
      try await polite.send(.pong, String(buffer: frame.data))
      answered += 1
    }
    try await require("the pongs") { try await exchange.statistics.pongs == 30 }
    try await exchange.stop()
  }

  @Test func `a frame that is not masked ends the connection`() async throws {
    let exchange = try await start { $0.messagesPerSecond = 1 }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/ws")
    try await probe.send(.text, "{}", masked: false)
    let frame = try #require(try await probe.next())
    #expect(frame.opcode == .connectionClose && frame.data == ByteBuffer(bytes: [0x03, 0xea]))
    try await exchange.stop()
  }

  @Test(arguments: [
    ("/other", "404"), ("/stream?streams=%zz", "400"),
    ("/ws/" + (0...1024).map { "s\($0)@trade" }.joined(separator: "/"), "400"),
  ])
  func `a wrong request is refused`(_ target: String, _ status: String) async throws {
    let exchange = try await start { _ in }
    let probe = try await WebSocketProbe(port: exchange.port, target: target)
    #expect(probe.status.contains(status))
    #expect(try await exchange.statistics.connectionsRefused == 1)
    try await exchange.stop()
  }

  @Test func `a recording is sent verbatim, only what was asked for, in its order`() async throws {
    let folder = TemporaryFolder()
    let lines = [
      #"{"stream":"a@trade","data":{"x":1}}"#, #"{"stream":"b@trade","data":{"x":2}}"#,
      #"{ "data" : {"x": "}\"3"} , "stream" : "a@trade" }"#, "not JSON",
      #"[{"e":"24hrMiniTicker","s":"A"}]"#, #"{"stream":"a@trade","data":{"x":4}}"#,
    ]
    let path = try folder.write(lines, to: "tape")
    let exchange = try await start { $0.source = .recording(path: path, repeats: false) }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/stream?streams=a@trade")
    #expect(try await probe.texts(4) == [lines[0], lines[2], lines[3], lines[5]])
    try await exchange.waitUntilAllSent()
    try await exchange.stop()
  }

  @Test func `a recording is unwrapped for raw connections and wrapped for combined ones`() async throws {
    let folder = TemporaryFolder()
    let path = try folder.write(
      [#"{"stream":"a@trade","data":{"x":1}}"#, #"[{"s":"A"}]"#], to: "tape")
    for (target, expected) in [
      ("/ws/a@trade/!miniTicker@arr", [#"{"x":1}"#, #"[{"s":"A"}]"#]),
      (
        "/stream?streams=a@trade/!miniTicker@arr",
        [#"{"stream":"a@trade","data":{"x":1}}"#, #"{"stream":"!miniTicker@arr","data":[{"s":"A"}]}"#]
      ),
    ] {
      let exchange = try await start { $0.source = .recording(path: path, repeats: true) }
      var probe = try await WebSocketProbe(port: exchange.port, target: target)
      #expect(try await probe.texts(6) == expected + expected + expected)
      try await probe.close()
      try await exchange.stop()
    }
  }

  @Test func `connections end after so many messages, all of them delivered`() async throws {
    let exchange = try await start { $0.faults.closeAfterMessages = 7 }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/ws/btcusdt@trade")
    var opcodes: [WebSocketOpcode] = []
    while let frame = try await probe.next() {
      opcodes.append(frame.opcode)
      if frame.opcode == .connectionClose { break }
    }
    #expect(opcodes == Array(repeating: .text, count: 7) + [.connectionClose])
    try await exchange.stop()
  }

  @Test func `the rate holds`() {
    var pacer = Pacer(messagesPerSecond: 1_000)
    var sent = 0
    let start = NIODeadline.now()
    for step in 0...500 {
      sent += pacer.take(atMost: .max, at: start + .milliseconds(Int64(step) * 2))
    }
    #expect((1_000...1_001).contains(sent))
    // After a hold-up of a minute, a second's worth is caught up with and no more.
    let burst = pacer.take(atMost: .max, at: start + .seconds(61))
    #expect(burst == 1_000)
  }
}
