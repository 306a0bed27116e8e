import Ingest
import NIOCore
import Simulate
import Synchronization
import TestSupport
import Testing

@testable import struct Ingest.FeedError
@testable import struct Ingest.FeedSession
@testable import enum Ingest.HostLookup

/// The way to a server: its name, its addresses, and what it says to somebody who comes too often.
@Suite(.timeLimit(.minutes(4))) struct FeedDialTests {
  static let streams = ["btcusdt@miniTicker", "ethusdt@trade", "bnbusdt@trade"]

  private static func found(_ hosts: String...) -> HostLookup.Resolve {
    { _, port, loop in
      loop.makeCompletedFuture { try hosts.map { try SocketAddress(ipAddress: $0, port: port) } }
    }
  }

  @Test(arguments: [nil, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"])
  func `of two addresses the one that takes connections and serves none is not tried for ever`(
    _ answer: String?
  ) async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange { $0.host = "127.0.0.3" }
    let bad = try await SilentServer.start(answer: answer, host: "127.0.0.2", port: exchange.port)
    let feed = try fixture.makeFeed(
      port: 0, streams: Self.streams, url: "ws://exchange.example:\(exchange.port)",
      limits: .init(opening: .seconds(5)), resolve: Self.found("127.0.0.2", "127.0.0.3"))
    try await fixture.running(feed) {
      try await fixture.waitForHead(1)
    }
    try await exchange.stop()
    try await bad.stop()
    try await fixture.log.close()
  }

  @Test func `an exchange that asks for a pause gets it, from all slots and over a restart`() async throws {
    var fixture = try await FeedFixture()
    let logs = RecordedLogs()
    fixture.logger = logs.logger
    let answer = "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n"
    let strict = try await SilentServer.start(answer: answer + "Retry-After: 3000\r\n\r\n")
    let other = try await SilentServer.start(answer: answer + "\r\n")
    let fixtureOfClock = try await FeedFixture()
    for mostAttempts in [3, 0] {
      logs.removeAll()
      let feed = try fixture.makeFeed(port: strict.port, streams: Self.streams, capacity: 1)
      // Asked for no pause, with the same back-off: when it has tried often, the other would have, too.
      let clock = try fixture.makeFeed(port: other.port, streams: Self.streams, log: fixtureOfClock.log)
      try await fixture.running(feed) {
        try await require("a word of it") { logs.messages(.warning).contains { $0.contains("a pause") } }
        let run = Task { try await clock.run() }
        try await require("attempts") { clock.statistics.attempts >= 10 }
        clock.stop()
        try await run.value
        #expect(feed.statistics.attempts <= mostAttempts)
      }
      let said = logs.entries.filter { $0.message.contains("a pause") }
      #expect(said.count == 1)
      let wait = said.first.map { "\($0.metadata["wait"] ?? "")" } ?? ""
      // On a machine that is busy the second run may begin late.
      #expect(mostAttempts > 0 ? wait == "50 min" : (10...50).contains(Int(wait.prefix { $0.isNumber }) ?? 0))
    }
    try await fixtureOfClock.log.close()
    try await strict.stop()
    try await other.stop()
    try await fixture.log.close()
  }

  @Test func `a name that nobody answers for is said to be that, and looked up once at a time`() async throws
  {
    var fixture = try await FeedFixture()
    let logs = RecordedLogs()
    fixture.logger = logs.logger
    let pending = Mutex<[EventLoopPromise<[SocketAddress]>]>([])
    let feed = try fixture.makeFeed(
      port: 0, streams: Self.streams, url: "ws://exchange.example",
      limits: .init(opening: .milliseconds(500)),
      capacity: 1,
      resolve: { _, _, loop in
        let promise = loop.makePromise(of: [SocketAddress].self)
        pending.withLock { $0.append(promise) }
        return promise.futureResult
      })
    try await fixture.running(feed) {
      try await require("attempts") { feed.statistics.attempts >= 7 }
      #expect(pending.withLock { $0.count } == 1)
      let reasons = Set(logs.entries.compactMap { $0.metadata["reason"].map { "\($0)" } })
      #expect(reasons.contains("not open after 500 ms, still waiting for an answer from DNS"))
      // Nobody may be waiting for an answer at the moment in which it comes.
      try await require("the resolver's words") {
        for promise in pending.withLock({ $0 }) {
          promise.fail(HostLookup.failure("exchange.example", -3, "words"))
        }
        return logs.entries.contains {
          $0.metadata["reason"] == "no answer from DNS for the name exchange.example (words)"
        }
      }
    }
    for promise in pending.withLock({ $0 }) { promise.succeed([]) }
    try await fixture.log.close()
  }

  @Test func `a name of this machine is looked up by the system`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange()
    let feed = try fixture.makeFeed(
      port: 0, streams: Self.streams, url: "ws://localhost:\(exchange.port)/ws")
    try await fixture.running(feed) { try await fixture.waitForHead(1) }
    try await exchange.stop()
    try await fixture.log.close()
  }

  @Test func `a server that refuses connections is said to, without a library's words`() async throws {
    var fixture = try await FeedFixture()
    let logs = RecordedLogs()
    fixture.logger = logs.logger
    let gone = try await SilentServer.start()
    try await gone.stop()
    let feed = try fixture.makeFeed(port: gone.port, streams: Self.streams)
    try await fixture.running(feed) {
      try await require("a reason") { logs.entries.contains { $0.metadata["reason"] != nil } }
    }
    #expect(
      logs.entries.compactMap { $0.metadata["reason"] }.first
        == "cannot connect: the server refused the connection (ECONNREFUSED)")
    try await fixture.log.close()
  }
}
