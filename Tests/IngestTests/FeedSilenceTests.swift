import Ingest
import Simulate
import TestSupport
import Testing

@testable import struct Ingest.FeedSession

/// Connections that are open and say nothing.
@Suite(.timeLimit(.minutes(2))) struct FeedSilenceTests {
  static let streams = ["btcusdt@miniTicker", "ethusdt@trade"]

  /// Of what the exchange made, whatever is not in the log must lie within a gap.
  private func expectCovered(_ fixture: FeedFixture) throws {
    let kept = try fixture.ticks().map { "\($0.stream) \($0.payload)" }
    let gaps = try fixture.gaps()
    let first = try #require(try fixture.ticks().first).receivedAt
    var missing = 0
    var made: [String] = []
    for line in try fixture.folder.lines(of: "journal") {
      let words = line.split(separator: " ", maxSplits: 3)
      guard words[1] == "sent", let time = Int64(words[0]), time >= first else { continue }
      made.append(String(words[3]))
      guard !Set(kept).contains(made[made.count - 1]) else { continue }
      missing += 1
      #expect(gaps.contains { $0.startedAt <= time && time <= ($0.endedAt ?? .max) }, "\(line)")
    }
    #expect(missing > 0)
    #expect(Set(kept).count == kept.count)
  }

  private func limits() -> FeedSession.Limits {
    var limits = FeedSession.Limits()
    limits.staleGrace = .milliseconds(50)
    return limits
  }

  private func startExchange(_ fixture: FeedFixture, _ fault: FaultKind) async throws -> SimulatedExchange {
    try await fixture.startExchange {
      $0.messagesPerSecond = 500
      $0.journalFile = fixture.folder.file("journal")
      $0.faults.afterOpening[fault] = .milliseconds(100)
    }
  }

  @Test func `a second connection takes over from one that has gone silent, and the time is a gap`()
    async throws
  {
    let fixture = try await FeedFixture()
    let exchange = try await startExchange(fixture, .stall)
    var limits = limits()
    limits.staleAfter = .milliseconds(200)
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams, limits: limits)
    try await fixture.running(feed) {
      try await require("a connection") { try await exchange.statistics.connectionsOpened == 1 }
      try await exchange.setFaults(ExchangeFaults())
      try await require("the gap's end") { try fixture.gaps().first?.endedAt != nil }
      let head = Int(fixture.log.head.rawValue)
      try await fixture.waitForHead(head + 50)
      try await require("the end of the silent one") { try await exchange.statistics.connectionsOpen == 1 }
    }
    #expect(try await exchange.statistics.mostConnectionsOpen == 2)
    try await exchange.stop()
    let gap = try #require(try fixture.gaps().first)
    #expect(gap.cause == "stale")
    let times = try fixture.ticks().map(\.receivedAt)
    #expect(times.contains(gap.startedAt) && gap.endedAt.map(times.contains) == true)
    try expectCovered(fixture)
    try await fixture.log.close()
  }

  @Test func `a connection that answers nothing any more is replaced`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await startExchange(fixture, .halfOpen)
    var limits = limits()
    limits.pingInterval = .milliseconds(100)
    limits.pongTimeout = .milliseconds(100)
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams, limits: limits)
    try await fixture.running(feed) {
      try await require("a connection") { try await exchange.statistics.connectionsOpened == 1 }
      try await exchange.setFaults(ExchangeFaults())
      try await require("another") { feed.statistics.reconnects == 1 }
      let head = Int(fixture.log.head.rawValue)
      try await fixture.waitForHead(head + 50)
    }
    try await exchange.stop()
    #expect(try fixture.gaps().map(\.cause) == ["stale", "shutdown"])
    try expectCovered(fixture)
    try await fixture.log.close()
  }

  @Test func `a quiet market makes no gap, and its connection stays`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange { $0.messageLimit = 20 }
    var limits = limits()
    limits.staleAfter = .milliseconds(20)
    limits.pingInterval = .milliseconds(20)
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams, limits: limits)
    try await fixture.running(feed) {
      try await require("three looks") { feed.statistics.attempts >= 4 }
    }
    #expect(try await exchange.statistics.mostConnectionsOpen == 2)
    try await exchange.stop()
    #expect(feed.statistics.gaps == 0 && feed.statistics.reconnects == 0)
    #expect(try fixture.ticks().count == 20)
    #expect(try fixture.gaps().map(\.cause) == ["shutdown"])
    try await fixture.log.close()
  }

  @Test func `while the log takes nothing, a connection that is not read is not taken for dead`() async throws
  {
    let fixture = try await FeedFixture()
    let log = HandLog()
    log.state.withLock { $0.hasRoom = false }
    let exchange = try await fixture.startExchange { $0.messagesPerSecond = 1_000 }
    let quiet = try await fixture.startExchange { $0.messageLimit = 0 }
    var limits = limits()
    limits.staleAfter = .milliseconds(20)
    limits.pingInterval = .milliseconds(20)
    limits.pongTimeout = .milliseconds(20)
    let paused = try fixture.makeFeed(port: exchange.port, streams: Self.streams, limits: limits, log: log)
    // With the same limits, on a market without data: when it has looked twice, the other would have, too.
    let clock = try fixture.makeFeed(port: quiet.port, streams: Self.streams, limits: limits)
    let run = Task { try await paused.run() }
    try await require("a pause") { paused.statistics.isPaused }
    let before = paused.statistics.attempts
    try await fixture.running(clock) {
      try await require("two looks") { clock.statistics.attempts >= 3 }
    }
    #expect(paused.statistics.attempts == before && paused.statistics.connections == 1)
    #expect(paused.statistics.gaps == 0)
    log.makeRoom()
    try await require("data") { log.taken.count >= 2 }
    paused.stop()
    try await require("the end") {
      log.confirm()
      return paused.statistics.connections == 0
    }
    log.confirm()
    try await run.value
    try await exchange.stop()
    try await quiet.stop()
    try await fixture.log.close()
  }
}
