import TestSupport
import Testing

@testable import WAL

@Suite struct FeedStateTests {
  private let streams = ["a@trade", "b@trade"]

  @Test func theFirstFeedFindsNoGap() async throws {
    try await withLog { log, _ in
      let before = try await log.lastKnownStreams()
      #expect(before == nil)
      #expect(try await log.beginFeed(streams: streams).openGaps == [])
      #expect(try await log.lastKnownStreams() == streams)
    }
  }

  @Test func aFeedThatEndedInOrderLeavesAShutdownGapThatTheFirstDataCloses() async throws {
    try await withLog { log, _ in
      _ = try await log.beginFeed(streams: streams)
      try await log.append(ticks(3))
      try await log.endFeed(slots: [FeedEnd(streams: streams, lastDataAt: someTime + 3)])
      let gaps = try await log.beginFeed(streams: ["c@trade"]).openGaps
      let gap = try #require(gaps.first)
      #expect(gaps.count == 1)
      #expect((gap.cause, gap.startedAt, gap.endedAt) == (.shutdown, someTime + 3, nil))
      #expect(gap.streams == streams)
      let reader = try await log.makeReader()
      #expect(try await reader.openGaps() == gaps)
      #expect(try await reader.lastKnownStreams() == ["c@trade"])
      try await log.append(ticks(1)) { try $0.closeGap(gap.id, endedAt: someTime + 9) }
      #expect(try await reader.openGaps() == [])
      // What is closed stays as it is.
      try await log.write { try $0.closeGap(gap.id, endedAt: someTime + 100) }
      #expect(try await reader.text("SELECT group_concat(ended_at) FROM gaps") == "\(someTime + 9)")
      try await reader.close()
    }
  }

  @Test func aKilledFeedLeavesACrashGapFromItsLastTick() async throws {
    try await withLog { log, path in
      _ = try await log.beginFeed(streams: streams)
      try await log.append(ticks(3))
      try copyFiles(of: path, to: path + ".killed")
      let after = try await TickLog.open(path: path + ".killed", options: .make(), logger: silent)
      let gaps = try await after.beginFeed(streams: ["c@trade"]).openGaps
      #expect(gaps.map(\.cause) == [.crash])
      #expect(gaps.map(\.startedAt) == [someTime + 3])
      #expect(gaps.map(\.streams) == [streams])
      #expect(try await after.beginFeed(streams: streams).openGaps == gaps)
      try await after.close()
    }
  }

  @Test func aGapThatWasOpenAtTheEndStaysTheOnlyOne() async throws {
    try await withLog { log, _ in
      _ = try await log.beginFeed(streams: streams)
      try await log.append(ticks(3))
      let id = try await log.write {
        try $0.openGap(startedAt: someTime, cause: .closed, streams: streams)
      }
      try await log.endFeed(slots: [FeedEnd(streams: streams, lastDataAt: someTime + 3)])
      let gaps = try await log.beginFeed(streams: streams).openGaps
      #expect(gaps.map(\.id) == [id])
      #expect(gaps.map(\.cause) == [.closed])
      // Killed now, with the gap still open.
      #expect(try await log.beginFeed(streams: streams).openGaps == gaps)
    }
  }

  @Test func aFeedThatReceivedNothingLeavesNoGap() async throws {
    try await withLog { log, _ in
      _ = try await log.beginFeed(streams: streams)
      try await log.endFeed(slots: [FeedEnd(streams: streams, lastDataAt: nil)])
      #expect(try await log.beginFeed(streams: streams).openGaps == [])
    }
  }

  @Test(arguments: Gap.Cause.allCases) func everyCauseIsKept(_ cause: Gap.Cause) async throws {
    try await withLog { log, _ in
      _ = try await log.write { try $0.openGap(startedAt: 5, cause: cause, streams: []) }
      let gap = try #require(try await log.beginFeed(streams: []).openGaps.first)
      #expect(gap.cause == cause)
      // A clock that went back does not make a gap of negative length.
      try await log.write { try $0.closeGap(gap.id, endedAt: 4) }
      let reader = try await log.makeReader()
      #expect(try await reader.text("SELECT ended_at || cause FROM gaps") == "5\(cause.rawValue)")
      try await reader.close()
    }
  }
}
