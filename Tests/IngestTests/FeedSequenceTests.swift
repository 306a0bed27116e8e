import Foundation
import Ingest
import Simulate
import TestSupport
import Testing

@testable import struct Ingest.FeedSession

/// The exchange's own ids, over real sockets: what skips is a gap, and nothing else is.
@Suite(.serialized, .timeLimit(.minutes(4))) struct FeedSequenceTests {
  static let streams = ["btcusdt@aggTrade", "ethusdt@trade", "bnbusdt@depth@100ms", "solusdt@miniTicker"]

  private struct Detail: Decodable {
    var after: Int64
    var before: Int64
    var afterEventTime: Int64
    var beforeEventTime: Int64
    var skips: Int
  }

  private struct Event: Decodable {
    var id: Int64
    var time: Int64

    enum CodingKeys: String, CodingKey {
      case id = "a"
      case time = "E"
    }
  }

  private func details(_ fixture: FeedFixture) throws -> [Detail] {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try fixture.details(of: "sequence").map { try decoder.decode(Detail.self, from: Data($0.utf8)) }
  }

  @Test func `ids that a connection leaves out are a gap of their stream, between the events beside them`()
    async throws
  {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange {
      $0.messagesPerSecond = 500
      $0.faults.afterOpening[.skipIDs] = .milliseconds(200)
    }
    let feed = try fixture.makeFeed(port: exchange.port, streams: ["btcusdt@aggTrade"])
    try await fixture.running(feed) {
      try await require("a gap") { feed.statistics.sequenceBreaks == 1 }
      try await fixture.waitForHead(Int(fixture.log.head.rawValue) + 50)
    }
    try await exchange.stop()
    let gaps = try fixture.gaps()
    #expect(gaps.map(\.cause) == ["sequence", "shutdown"])
    #expect(gaps.first?.streams == #"["btcusdt@aggTrade"]"#)
    let detail = try #require(try details(fixture).first)
    #expect(detail.skips == 1 && (2...4).contains(detail.before - detail.after))
    let ticks = try fixture.ticks()
    let events = try ticks.map { try JSONDecoder().decode(Event.self, from: Data($0.payload.utf8)) }
    let place = try #require(events.firstIndex { $0.id == detail.after })
    #expect(events[place + 1].id == detail.before)
    #expect(events[place].time == detail.afterEventTime && events[place + 1].time == detail.beforeEventTime)
    let gap = try #require(gaps.first)
    #expect(gap.startedAt == ticks[place].receivedAt)
    #expect(gap.endedAt == max(ticks[place + 1].receivedAt, gap.startedAt + 1))
    #expect(feed.statistics.gaps == 1)
    try await fixture.log.close()
  }

  @Test func `ids that follow one another over many connections are no gap, and prove what was received`()
    async throws
  {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange {
      $0.messagesPerSecond = 500
      $0.waitsForClients = true
    }
    var limits = FeedSession.Limits()
    limits.maximumAge = .milliseconds(200)
    limits.overlap = .seconds(60)
    limits.draining = .seconds(60)
    limits.stopping = .seconds(60)
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams, limits: limits)
    try await fixture.running(feed) {
      try await require("three rotations") { feed.statistics.rotations >= 3 }
    }
    try await exchange.stop()
    #expect(try fixture.gaps().map(\.cause) == ["shutdown"])
    #expect(feed.statistics.sequenceBreaks == 0 && feed.statistics.duplicates > 0)
    let completeness = try fixture.completeness()
    let ticks = Dictionary(grouping: try fixture.ticks(), by: \.stream).mapValues(\.count)
    for (kind, stream) in [("aggTrade", 0), ("trade", 1), ("depth", 2)] {
      let count = ticks[Self.streams[stream]] ?? 0
      // Ids are known to be followed only after the first read that brought some.
      #expect(completeness[kind]?.prefix(3) == [1, 1, count])
      #expect((count / 2...count).contains(completeness[kind]?[3] ?? 0))
    }
    #expect(completeness["others"] == [1, 0, ticks[Self.streams[3]] ?? 0, 0])
    try await fixture.log.close()
  }

  @Test func `futures' trades prove nothing`() async throws {
    let fixture = try await FeedFixture()
    let exchange = try await fixture.startExchange {
      $0.messagesPerSecond = 500
      $0.isFutures = true
    }
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams)
    try await fixture.running(feed) { try await fixture.waitForHead(200) }
    try await exchange.stop()
    #expect(try fixture.gaps().map(\.cause) == ["shutdown"])
    let completeness = try fixture.completeness()
    #expect(completeness["trade"]?[1] == 0 && completeness["trade"]?[3] == 0)
    #expect(completeness["depth"]?[1] == 1 && completeness["aggTrade"]?[1] == 1)
    try await fixture.log.close()
  }

  @Test func `what a lost connection has missed is in the gap of its loss alone`() async throws {
    let fixture = try await FeedFixture()
    // It goes on making ticks while nobody listens.
    let exchange = try await fixture.startExchange {
      $0.messagesPerSecond = 500
      $0.faults.closeAfterMessages = 60
      $0.journalFile = fixture.folder.file("journal")
    }
    let feed = try fixture.makeFeed(port: exchange.port, streams: Self.streams)
    try await fixture.running(feed) {
      try await require("losses") { feed.statistics.reconnects >= 4 }
    }
    try await exchange.stop()
    let gaps = try fixture.gaps()
    let causes = gaps.map(\.cause)
    #expect(causes.contains("closed"))
    // Of a stream that the last connection has not delivered before the end nobody knows whether it was there.
    let end = gaps.last { $0.cause == "shutdown" }?.startedAt ?? 0
    for gap in gaps where !["closed", "refused", "shutdown"].contains(gap.cause) {
      #expect(gap.cause == "unsubscribed" && (gap.endedAt ?? .max) >= end, "\(gap)")
    }
    let ids = try fixture.ticks().filter { $0.stream == "btcusdt@aggTrade" }.map {
      try JSONDecoder().decode(Event.self, from: Data($0.payload.utf8)).id
    }
    #expect(zip(ids, ids.dropFirst()).contains { $1 > $0 + 1 }, "nothing was missed")
    #expect(feed.statistics.sequenceBreaks == 0)
    try await fixture.log.close()
  }
}
