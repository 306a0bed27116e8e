import Base
import Foundation
import Ingest
import Simulate
import TestSupport
import Testing

@testable import struct Ingest.FeedSession

/// Long lists, subscribing by message, and the limit on attempts.
@Suite(.timeLimit(.minutes(4))) struct FeedStreamsTests {
  private func names(_ count: Int) -> [String] { (0..<count).map { "symbol\($0)usdt@trade" } }

  @Test func `2,500 streams come over three connections, within the exchange's limits`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange {
      $0.isStrict = true
      $0.waitsForClients = true
      $0.messagesPerSecond = 1_000
    }
    let feed = try fixture.makeFeed(port: exchange.port, streams: names(2_500))
    try await fixture.running(feed) {
      try await require("all subscribed") { feed.statistics.connectedStreams == 2_500 }
      #expect(feed.statistics.plannedConnections == 3)
      try await fixture.waitForHead(Int(fixture.log.head.rawValue) + 5_000)
    }
    let statistics = try await exchange.statistics
    #expect(statistics.connectionsOpened == 3 && statistics.mostConnectionsOpen == 3)
    #expect(statistics.violations.isEmpty)
    try await exchange.stop()
    #expect(try fixture.streams() == Set(names(2_500)))
    let gaps = try fixture.gaps()
    #expect(gaps.map(\.cause) == ["shutdown", "shutdown", "shutdown"])
    try await fixture.log.close()
  }

  @Test func `streams that the exchange refuses are named, and the feed goes on`() async throws {
    var fixture = try await FeedFixture()
    let logs = RecordedLogs()
    fixture.logger = logs.logger
    let exchange = try await fixture.startExchange { $0.faults.refuseSubscribeShare = 1 }
    let feed = try fixture.makeFeed(port: exchange.port, streams: names(300))
    try await fixture.running(feed) {
      try await require("an open connection") { feed.statistics.connections == 1 }
      let statistics = feed.statistics
      #expect(statistics.connectedStreams == 0 && statistics.connectedSince == nil)
      #expect(statistics.refusedStreams.count == 300)
      #expect(statistics.refusedStreams.names == Array(names(300).sorted().prefix(10)))
    }
    #expect(feed.statistics.isOver && feed.statistics.connectedSince == nil)
    try await exchange.stop()
    let refusal = try #require(logs.entries.first { $0.message.contains("does not subscribe") })
    #expect(refusal.level == .error)
    #expect(refusal.metadata["names"].map { "\($0)" }?.hasPrefix("symbol0usdt@trade,") == true)
    #expect(feed.statistics.attempts == 1)
    try await fixture.log.close()
  }

  @Test func `one stream that is refused is not among those that are connected`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange {
      $0.faults.badStreams = ["bad@trade"]
      $0.messagesPerSecond = 100
    }
    let feed = try fixture.makeFeed(port: exchange.port, streams: names(300) + ["bad@trade"])
    try await fixture.running(feed) {
      try await require("the others") { feed.statistics.connectedStreams == 300 }
      #expect(feed.statistics.plannedStreams == 301 && feed.statistics.connectedSince != nil)
      #expect(feed.statistics.refusedStreams.names == ["bad@trade"])
      // A list that has grown is not granted before somebody is asked.
      feed.update(streams: names(300) + ["bad@trade", "other@trade"])
      try await require("the new list") { feed.statistics.plannedStreams == 302 }
      try await require("its stream") { feed.statistics.connectedStreams == 301 }
    }
    try await exchange.stop()
    try await fixture.log.close()
  }

  @Test func `it is known since when the feed is connected, and else when it connects next`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange { $0.messagesPerSecond = 100 }
    let feed = try fixture.makeFeed(port: exchange.port, streams: names(300))
    let before = WallClock.now()
    try await fixture.running(feed) {
      try await fixture.waitForHead(10)
      let statistics = feed.statistics
      #expect(try #require(statistics.connectedSince) >= before && statistics.disconnectedSince == nil)
      #expect(statistics.nextAttemptAt == nil)
      #expect((statistics.connectedStreams, statistics.plannedStreams) == (300, 300))
      try await exchange.stop()
      try await require("the loss") { feed.statistics.connectedSince == nil }
      #expect(try #require(feed.statistics.disconnectedSince) >= #require(statistics.connectedSince))
      try await require("a wait") { feed.statistics.nextAttemptAt != nil }
    }
    #expect(feed.statistics.nextAttemptAt == nil)
    try await fixture.log.close()
  }

  @Test func `attempts to connect are counted across restarts`() async throws {
    var fixture = try await FeedFixture()
    let logs = RecordedLogs()
    fixture.logger = logs.logger
    let exchange = try await fixture.startExchange { $0.faults.refuseWithStatus = 503 }
    let isUsedUp = { logs.entries.contains { $0.message.hasPrefix("as many attempts to connect") } }
    let first = try fixture.makeFeed(port: exchange.port, streams: names(1), attemptLimit: 4)
    try await fixture.running(first) { try await require("the limit") { isUsedUp() } }
    #expect(first.statistics.attempts == 4)
    logs.removeAll()
    let second = try fixture.makeFeed(port: exchange.port, streams: names(1), attemptLimit: 4)
    try await fixture.running(second) { try await require("the limit again") { isUsedUp() } }
    #expect(second.statistics.attempts == 0)
    #expect(try await exchange.statistics.attempts == 4)
    try await exchange.stop()
    try await fixture.log.close()
  }

  @Test func `a URL with a path of its own is one connection, whatever the list says`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange {
      $0.messagesPerSecond = 500
      $0.waitsForClients = true
    }
    let feed = try fixture.makeFeed(
      port: 0, streams: names(2_000), url: "ws://127.0.0.1:\(exchange.port)/ws/btcusdt@trade")
    try await fixture.running(feed) {
      try await fixture.waitForHead(10)
      feed.update(streams: ["btcusdt@trade"])
      try await require("the new list") { feed.statistics.connectedStreams == 1 }
    }
    try await exchange.stop()
    #expect(feed.statistics.attempts == 1 && feed.statistics.rotations == 0)
    #expect(try fixture.gaps().map(\.streams) == [#"["btcusdt@trade"]"#])
    try await fixture.log.close()
  }
}
