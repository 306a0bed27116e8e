import Ingest
import Simulate
import TestSupport
import Testing

@testable import struct Ingest.FeedSession

/// Connections that are open and say nothing.
@Suite(.timeLimit(.minutes(4))) struct FeedSilenceTests {
  static let streams = ["btcusdt@miniTicker", "ethusdt@trade"]

  /// Of what the exchange made since the first tick, whatever is not in the log must be missing where a gap is:
  /// from the receipt of what came before it to that of what came after.
  private func expectCovered(_ fixture: FeedFixture) throws {
    var received: [String: Int64] = [:]
    for tick in try fixture.ticks() {
      let earlier = received.updateValue(tick.receivedAt, forKey: "\(tick.stream) \(tick.payload)")
      #expect(earlier == nil, "twice: \(tick)")
    }
    let made = try fixture.folder.lines(of: "journal").compactMap { line -> Int64?? in
      let words = line.split(separator: " ", maxSplits: 3)
      return words.count == 4 && words[1] == "sent" ? .some(received[String(words[3])]) : nil
    }
    #expect(made.count { $0 != nil } == received.count)
    let stretches = made.split(separator: nil).map { $0.compactMap(\.self) }
    let gaps = try fixture.gaps()
    #expect(gaps.count >= 2)
    for (place, stretch) in stretches.enumerated() {
      let after = place + 1 < stretches.count ? stretches[place + 1].first : nil
      #expect(gaps.contains { $0.startedAt == stretch.last && $0.endedAt == after }, "\(place) \(gaps)")
    }
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
      try await require("a connection") { try await exchange.statistics.connectionsOpened >= 1 }
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
      try await require("a connection") { try await exchange.statistics.connectionsOpened >= 1 }
      try await exchange.setFaults(ExchangeFaults())
      try await require("another") { feed.statistics.reconnects >= 1 }
      let head = Int(fixture.log.head.rawValue)
      try await fixture.waitForHead(head + 50)
    }
    try await exchange.stop()
    // On a machine that is busy others may be found dead as well, the last one just before the end.
    let causes = try fixture.gaps().map(\.cause)
    #expect(causes.first == "stale" && Set(causes).isSubset(of: ["stale", "shutdown"]))
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
    let exchange = try await fixture.startExchange {
      $0.messagesPerSecond = 1_000
      // Else it drops a client that does not read, and so does not answer, for long.
      $0.waitsForClients = true
      $0.pingInterval = .seconds(3600)
    }
    let quiet = try await fixture.startExchange { $0.messageLimit = 0 }
    var limits = limits()
    limits.staleAfter = .milliseconds(200)
    limits.pingInterval = .milliseconds(200)
    limits.pongTimeout = .milliseconds(200)
    let paused = try fixture.makeFeed(port: exchange.port, streams: Self.streams, limits: limits, log: log)
    // With the same limits, on a market without data: when it has looked twice, the other would have, too.
    let clock = try fixture.makeFeed(port: quiet.port, streams: Self.streams, limits: limits)
    let run = Task { try await paused.run() }
    try await require("a pause") { paused.statistics.isPaused && paused.statistics.connections >= 1 }
    try await fixture.running(clock) {
      // A busy machine may take its time between the refusal and the pause.
      try await require("a look") { clock.statistics.attempts >= 2 }
      let before = paused.statistics
      try await require("two more") { clock.statistics.attempts >= 4 }
      #expect(paused.statistics.attempts == before.attempts)
      // One that was dialed before the pause may still open in it.
      #expect((before.connections...before.attempts).contains(paused.statistics.connections))
      #expect(paused.statistics.gaps == before.gaps)
    }
    log.makeRoom()
    try await require("data") { log.taken.count >= 2 }
    paused.stop()
    try await log.confirm(untilEndOf: run)
    #expect(paused.statistics.connections == 0)
    try await exchange.stop()
    try await quiet.stop()
    try await fixture.log.close()
  }
}
