import Base
import Foundation
import Ingest
import Simulate
import TestSupport
import Testing
import WAL

@testable import struct Ingest.FeedSession

/// The whole feed against a simulated exchange over real sockets, into a real log.
@Suite(.timeLimit(.minutes(4))) struct FeedLoopbackTests {
  static let streams = ["btcusdt@miniTicker", "ethusdt@trade", "bnbusdt@bookTicker", "solusdt@kline_1m"]

  /// What the log holds, as the messages that it came in.
  private func messages(_ ticks: [TickRow]) -> [String] {
    ticks.map { "{\"stream\":\"\($0.stream)\",\"data\":\($0.payload)}" }
  }

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
    #expect(try messages(ticks) == fixture.folder.lines(of: "sent"))
    #expect(Set(ticks.map(\.stream)) == Set(Self.streams))
    #expect(ticks.map(\.receivedAt) == ticks.map(\.receivedAt).sorted())
    #expect(feed.statistics.ticks == 20_000)
    #expect(feed.statistics.messages == 20_000)
    #expect(feed.statistics.attempts == 1)
    let gap = try #require(try fixture.gaps().first)
    #expect(gap.cause == "shutdown" && gap.endedAt == nil && gap.startedAt == ticks.last?.receivedAt)
    try await fixture.log.close()
  }

  @Test func `messages in one segment with the answer to the upgrade are not lost`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange {
      $0.messageLimit = 25
      $0.faults.messagesWithUpgrade = 25
      $0.recordFile = fixture.folder.file("sent")
    }
    try await fixture.running(fixture.makeFeed(port: exchange.port, streams: Self.streams)) {
      try await fixture.waitForHead(25)
    }
    try await exchange.stop()
    #expect(try messages(fixture.ticks()) == fixture.folder.lines(of: "sent"))
    try await fixture.log.close()
  }

  @Test func `a message of a mebibyte in fragments is one tick`() async throws {
    let fixture = try await FeedFixture()
    let event = #"{"e":"trade","E":1,"s":"A","x":""# + String(repeating: "é", count: 1 << 19) + #""}"#
    let tape = try fixture.folder.write([#"{"stream":"a@trade","data":\#(event)}"#], to: "tape")
    let exchange = try await fixture.startExchange {
      $0.source = .recording(path: tape, repeats: false)
      $0.faults.fragmentSize = 1000
    }
    try await fixture.running(fixture.makeFeed(port: exchange.port, streams: ["a@trade"])) {
      try await fixture.waitForHead(1)
    }
    try await exchange.stop()
    let payloads = try fixture.ticks().map(\.payload)
    #expect(payloads.map(\.utf8.count) == [event.utf8.count])
    #expect(payloads == [event])
    try await fixture.log.close()
  }

  @Test func `pings are answered, so that the exchange keeps the connection`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange {
      $0.messagesPerSecond = 100
      // Five messages a second are what the exchange takes.
      $0.pingInterval = .milliseconds(250)
      // Each pong that counts repeats its ping's payload; how soon it comes is the machine's affair.
      $0.pongTimeout = .seconds(3_600)
    }
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams)
    try await fixture.running(feed) {
      try await require("8 pongs") { try await exchange.statistics.pongs >= 8 }
    }
    #expect(try await exchange.statistics.silentClients == 0)
    #expect(feed.statistics.attempts == 1)
    try await exchange.stop()
    try await fixture.log.close()
  }

  @Test func `connections that end are opened again, each loss is a gap between the data around it`()
    async throws
  {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange {
      $0.messageLimit = 1_000
      $0.faults.closeAfterMessages = 300
      $0.recordFile = fixture.folder.file("sent")
    }
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams)
    try await fixture.running(feed) {
      try await fixture.waitForHead(1_000)
    }
    try await exchange.stop()
    let ticks = try fixture.ticks()
    #expect(try messages(ticks) == fixture.folder.lines(of: "sent"))
    let gaps = try fixture.gaps()
    #expect(gaps.map(\.cause) == ["closed", "closed", "closed", "shutdown"])
    for (index, gap) in gaps.dropLast().enumerated() {
      #expect(gap.startedAt == ticks[300 * (index + 1) - 1].receivedAt)
      #expect(gap.endedAt == ticks[300 * (index + 1)].receivedAt)
      #expect(gap.streams == jsonArray(Self.streams))
    }
    #expect(feed.statistics.reconnects == 3)
    try await fixture.log.close()
  }

  @Test func `an exchange that is down at the start is waited for, from the program's start on`() async throws
  {
    let fixture = try await FeedFixture()
    var exchange = try await Self.startOnQuietPort(fixture)
    let port = exchange.port
    try await exchange.stop()
    let before = WallClock.now()
    let feed = try fixture.makeFeed(port: port, streams: Self.streams)
    try await fixture.running(feed) {
      try await require("three attempts") { feed.statistics.attempts >= 3 }
      exchange = try await fixture.startExchange {
        $0.port = port
        $0.faults.refuseWithStatus = 503
      }
      let refused = feed.statistics.attempts
      try await require("two refusals") { feed.statistics.attempts >= refused + 2 }
      try await exchange.setFaults(ExchangeFaults())
      try await fixture.waitForHead(1)
    }
    try await exchange.stop()
    let gaps = try fixture.gaps()
    #expect(gaps.map(\.cause) == ["refused", "shutdown"])
    let first = try #require(gaps.first)
    #expect(first.startedAt >= before)
    #expect(first.endedAt == (try fixture.ticks().first?.receivedAt))
    try await fixture.log.close()
  }

  /// On a port that the kernel gives to no other connection while nobody listens there.
  private static func startOnQuietPort(_ fixture: FeedFixture) async throws -> SimulatedExchange {
    for _ in 0..<20 {
      let port = Int.random(in: 20_000..<32_000)
      do { return try await fixture.startExchange { $0.port = port } } catch is ExchangeError {}
    }
    return try await fixture.startExchange()
  }

  @Test func `the next feed ends the gap that a shutdown left`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange { $0.messagesPerSecond = 200 }
    var heads: [Int] = []
    for run in 1...2 {
      try await fixture.running(fixture.makeFeed(port: exchange.port, streams: Self.streams)) {
        try await fixture.waitForHead((heads.last ?? 0) + 5)
      }
      heads.append(Int(fixture.log.head.rawValue))
      #expect(
        try fixture.gaps().map { $0.endedAt == nil } == Array(repeating: false, count: run - 1) + [true])
    }
    try await exchange.stop()
    let ticks = try fixture.ticks()
    let gaps = try fixture.gaps()
    #expect(gaps.map(\.cause) == ["shutdown", "shutdown"])
    #expect(gaps.first?.startedAt == ticks[heads[0] - 1].receivedAt)
    #expect(gaps.first?.endedAt == ticks[heads[0]].receivedAt)
    try await fixture.log.close()
  }

  @Test(arguments: [false, true])
  func `a server that accepts and says nothing, or only bytes of a head, is given up`(
    isDripping: Bool
  ) async throws {
    let fixture = try await FeedFixture()
    let silent = try await SilentServer.start(isDripping: isDripping)
    let feed = try fixture.makeFeed(
      port: silent.port, streams: Self.streams, limits: .init(opening: .milliseconds(50)))
    try await fixture.running(feed) {
      try await require("three attempts") { feed.statistics.attempts >= 3 }
    }
    try await silent.stop()
    #expect(try fixture.gaps().map(\.cause) == ["refused"])
    try await fixture.log.close()
  }

  @Test func `what is no tick becomes a dead letter, and the feed goes on`() async throws {
    let fixture = try await FeedFixture()
    let good = #"{"stream":"a@trade","data":{"x":1}}"#
    let bad = ["not JSON", #"{"stream":"a@trade","data":5}"#, #"{"stream":"a@trade","data":{}"#]
    let tape = try fixture.folder.write([good, bad[0], bad[1], good, bad[2], good], to: "tape")
    let exchange = try await fixture.startExchange { $0.source = .recording(path: tape, repeats: false) }
    let feed = try fixture.makeFeed(port: exchange.port, streams: ["a@trade"])
    try await fixture.running(feed) {
      try await fixture.waitForHead(3)
    }
    try await exchange.stop()
    #expect(try fixture.deadLetters() == bad)
    #expect(feed.statistics.rejected == 3)
    #expect(feed.statistics.attempts == 1)
    try await fixture.log.close()
  }

  @Test func `a raw connection and an array connection name their ticks`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange { $0.messagesPerSecond = 500 }
    for (url, streams) in [
      ("ws://127.0.0.1:\(exchange.port)/ws/btcusdt@depth@100ms", ["btcusdt@depth@100ms"]),
      ("ws://127.0.0.1:\(exchange.port)/ws/!miniTicker@arr", ["!miniTicker@arr"]),
      ("ws://127.0.0.1:\(exchange.port)", ["!miniTicker@arr"]),
    ] {
      let head = Int(fixture.log.head.rawValue)
      try await fixture.running(fixture.makeFeed(port: 0, streams: streams, url: url)) {
        try await fixture.waitForHead(head + 30)
      }
      let names = Set(try fixture.ticks().dropFirst(head).map(\.stream))
      if streams == ["btcusdt@depth@100ms"] {
        #expect(names == ["btcusdt@depth@100ms"])
      } else {
        #expect(names.contains("btcusdt@miniTicker") && names.contains("ethbtc@miniTicker"))
        #expect(names.allSatisfy { $0.hasSuffix("@miniTicker") })
      }
    }
    try await exchange.stop()
    try await fixture.log.close()
  }

  @Test func `a small queue holds the exchange back, and everything arrives all the same`() async throws {
    var options = TickLog.Options()
    options.queueCapacity = 20_000
    let fixture = try await FeedFixture(options: options)
    let exchange = try await fixture.startExchange {
      $0.messageLimit = 30_000
      $0.recordFile = fixture.folder.file("sent")
    }
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams)
    try await fixture.running(feed) {
      try await fixture.waitForHead(30_000)
    }
    try await exchange.stop()
    #expect(try messages(fixture.ticks()) == fixture.folder.lines(of: "sent"))
    #expect(try fixture.gaps().map(\.cause) == ["shutdown"])
    #expect(!feed.statistics.isPaused)
    try await fixture.log.close()
  }

  @Test(arguments: [(false, "0 open queue_full"), (true, "0 open disk_full")])
  func `a connection lost while the log takes nothing says so in its gap`(
    _ isDiskFull: Bool, _ gap: String
  ) async throws {
    let fixture = try await FeedFixture()
    let log = HandLog()
    log.state.withLock {
      $0.hasRoom = false
      $0.isDiskFull = isDiskFull
    }
    // Few, so that what is not read never fills the sockets: the exchange could not close behind it.
    let exchange = try await fixture.startExchange { $0.messagesPerSecond = 20 }
    let endpoint = try FeedEndpoint(url: "ws://127.0.0.1:\(exchange.port)", testnet: true)
    let feed = try Feed(
      configuration: FeedConfiguration(endpoint: endpoint, streams: Self.streams), feedLog: log,
      logger: fixture.logger, wallClock: WallClock.now, random: { 0.5 })
    let run = Task { try await feed.run() }
    try await require("a pause") { feed.statistics.isPaused }
    try await exchange.closeConnections()
    try await require("the loss") { feed.statistics.attempts >= 2 }
    #expect(log.taken.isEmpty)
    log.makeRoom()
    try await require("the gap's end") { log.taken.contains { $0.hasSuffix("close") } }
    let ticksBefore = log.taken.prefix { $0 != gap }
    #expect(log.taken.contains(gap))
    #expect(!ticksBefore.isEmpty && ticksBefore.allSatisfy { Int($0) != nil })
    feed.stop()
    try await log.confirm(untilEndOf: run)
    #expect(feed.statistics.connectedStreams == 0)
    try await exchange.stop()
    try await fixture.log.close()
  }

  @Test(arguments: Recordings.combined)
  func `recorded messages are in the log as they were`(_ file: URL) async throws {
    let fixture = try await FeedFixture()
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
    let streams = Set(lines.compactMap { $0.split(separator: "\"").dropFirst(3).first.map(String.init) })
    let exchange = try await fixture.startExchange { $0.source = .recording(path: file.path, repeats: false) }
    try await fixture.running(fixture.makeFeed(port: exchange.port, streams: streams.sorted())) {
      try await fixture.waitForHead(lines.count)
    }
    try await exchange.stop()
    #expect(try messages(fixture.ticks()) == lines)
    try await fixture.log.close()
  }

  private func jsonArray(_ texts: [String]) -> String {
    "[" + texts.map { "\"\($0)\"" }.joined(separator: ",") + "]"
  }
}
