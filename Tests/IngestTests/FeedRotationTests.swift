import Ingest
import Simulate
import TestSupport
import Testing

@testable import struct Ingest.FeedSession

/// Connections that take over from one another, over real sockets: nothing lost, nothing twice, in order.
@Suite(.serialized, .timeLimit(.minutes(4))) struct FeedRotationTests {
  static let streams = ["btcusdt@miniTicker", "ethusdt@trade", "bnbusdt@bookTicker", "solusdt@kline_1m"]

  /// A machine that is busy may need long for what takes no time elsewhere.
  private var limits: FeedSession.Limits {
    var limits = FeedSession.Limits()
    limits.overlap = .seconds(60)
    limits.draining = .seconds(60)
    limits.stopping = .seconds(60)
    return limits
  }

  private func startExchange(
    _ fixture: FeedFixture, _ change: (inout ExchangeConfiguration) -> Void = { _ in }
  ) async throws -> SimulatedExchange {
    try await fixture.startExchange {
      $0.messagesPerSecond = 500
      $0.waitsForClients = true
      $0.recordFile = fixture.folder.file("sent")
      change(&$0)
    }
  }

  private func expectEverythingOnce(_ fixture: FeedFixture) throws {
    let sent = try fixture.sentByStream()
    let kept = try fixture.messagesByStream()
    #expect(Set(kept.keys) == Set(sent.keys))
    for (stream, messages) in sent {
      let own = kept[stream] ?? []
      let same = zip(own, messages).prefix { $0 == $1 }.count
      #expect(
        same == own.count && same == messages.count,
        "\(stream): \(own.count) of \(messages.count), \(Set(own).count) different, in order up to \(same)")
    }
  }

  @Test func `connections that grow old are replaced without a gap, a loss, a duplicate or disorder`()
    async throws
  {
    let fixture = try await FeedFixture()
    let exchange = try await startExchange(fixture)
    var limits = limits
    limits.maximumAge = .milliseconds(200)
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams, limits: limits)
    try await fixture.running(feed) {
      try await require("four rotations") { feed.statistics.rotations >= 4 }
    }
    #expect(try await exchange.statistics.mostConnectionsOpen == 2)
    try await exchange.stop()
    try expectEverythingOnce(fixture)
    let gaps = try fixture.gaps()
    #expect(gaps.map(\.cause) == ["shutdown"], "\(gaps)")
    #expect(feed.statistics.duplicates > 0)
    #expect(feed.statistics.reconnects == 0)
    try await fixture.log.close()
  }

  @Test func `an announced end is met by a new connection before it comes`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await startExchange(fixture) {
      $0.faults.afterOpening[.shutdown] = .milliseconds(100)
      $0.faults.shutdownNotice = .seconds(60)
    }
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams, limits: limits)
    try await fixture.running(feed) {
      try await require("two rotations") { feed.statistics.rotations >= 2 }
    }
    #expect(try await exchange.statistics.mostConnectionsOpen == 2)
    try await exchange.stop()
    try expectEverythingOnce(fixture)
    let gaps = try fixture.gaps()
    #expect(gaps.map(\.cause) == ["shutdown"], "\(gaps)")
    try await fixture.log.close()
  }

  @Test func `a rotation can be asked for, and waits while the new connection is refused`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await startExchange(fixture)
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams, limits: limits)
    try await fixture.running(feed) {
      try await fixture.waitForHead(10)
      var faults = ExchangeFaults()
      faults.refuseWithStatus = 503
      try await exchange.setFaults(faults)
      feed.rotate()
      try await require("refusals") { try await exchange.statistics.connectionsRefused >= 3 }
      #expect(feed.statistics.rotations == 0 && feed.statistics.connections == 1)
      try await exchange.setFaults(ExchangeFaults())
      try await require("a rotation") { feed.statistics.rotations == 1 }
    }
    try await exchange.stop()
    try expectEverythingOnce(fixture)
    let gaps = try fixture.gaps()
    #expect(gaps.map(\.cause) == ["shutdown"], "\(gaps)")
    try await fixture.log.close()
  }

  @Test func `a changed list touches only the slots whose streams it changes`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await startExchange(fixture)
    let streams = ["a@trade", "b@trade", "c@trade", "d@trade", "e@trade"].map { "usd\($0)" }
    let feed = try fixture.makeFeed(port: exchange.port, streams: streams, limits: limits, capacity: 2)
    try await fixture.running(feed) {
      try await require("all streams") { try fixture.streams() == Set(streams) }
      #expect(feed.statistics.plannedConnections == 3 && feed.statistics.attempts == 3)
      // One more in the slot that has room.
      feed.update(streams: streams + ["usdf@trade"])
      try await require("the new stream") { try fixture.streams().contains("usdf@trade") }
      try await require("a rotation") { feed.statistics.rotations == 1 }
      #expect(feed.statistics.attempts == 4)
      // The first slot goes, and with it nothing else.
      feed.update(streams: Array(streams.dropFirst(2)) + ["usdf@trade"])
      try await require("two connections") { feed.statistics.connections == 2 }
      try await require("the exchange's two") { try await exchange.statistics.connectionsOpen == 2 }
      #expect(feed.statistics.plannedConnections == 2 && feed.statistics.attempts == 4)
      // One stream goes, one comes, in different slots.
      feed.update(streams: ["usdc@trade", "usde@trade", "usdf@trade", "usdg@trade"])
      try await require("the last stream") { try fixture.streams().contains("usdg@trade") }
      try await require("a rotation more") { feed.statistics.rotations == 2 }
      #expect(feed.statistics.attempts == 5 && feed.statistics.connectedStreams == 4)
    }
    try await exchange.stop()
    #expect(
      try await fixture.log.lastKnownStreams() == ["usdc@trade", "usde@trade", "usdf@trade", "usdg@trade"])
    try expectEverythingOnce(fixture)
    #expect(try fixture.gaps().map(\.cause) == ["shutdown", "shutdown"])
    try await fixture.log.close()
  }
}
