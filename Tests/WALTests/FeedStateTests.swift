import Base
import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct FeedStateTests {
  @Test func `a stream that leaves the list is remembered for a day, and when it left last`() async throws {
    try await withLog { log, _ in
      let day: Int64 = 86_400_000_000
      func note(_ streams: [String], at time: Int64) async throws -> [String: Int64] {
        try await log.write {
          try $0.connection.noteLeft(for: streams, at: time)
          try $0.connection.setMeta(.streams, MetaList(streams))
          return try $0.connection.streamsLeft()
        }
      }
      var told: [String: Int64]
      told = try await note(["a", "b"], at: 1)
      #expect(told == [:])
      told = try await note(["a"], at: 2)
      #expect(told == ["b": 2])
      told = try await note(["a", "b"], at: 3)
      #expect(told == ["b": 2])
      told = try await note(["b"], at: 4)
      #expect(told == ["a": 4, "b": 2])
      told = try await note([], at: 5)
      #expect(told == ["a": 4, "b": 5])
      told = try await note(["c"], at: 6)
      #expect(told == ["a": 4, "b": 5])
      told = try await note([], at: day + 4)
      #expect(told == ["b": 5, "c": day + 4])
    }
  }

  private let streams = ["a@trade", "b@trade"]

  @Test func `the first feed finds no gap`() async throws {
    try await withLog { log, _ in
      let before = try await log.lastKnownStreams()
      #expect(before == nil)
      #expect(try await log.beginFeed(streams: streams).openGaps == [])
      #expect(try await log.lastKnownStreams() == streams)
    }
  }

  @Test func `a feed that ended in order leaves a shutdown gap that the first data closes`() async throws {
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
      #expect(try await reader.metaList("streams") == ["c@trade"])
      try await log.append(ticks(1)) { try $0.closeGap(gap.id, endedAt: someTime + 9) }
      #expect(try await reader.openGaps() == [])
      // What is closed stays as it is.
      try await log.write { try $0.closeGap(gap.id, endedAt: someTime + 100) }
      #expect(try await reader.text("SELECT group_concat(ended_at) FROM gaps") == "\(someTime + 9)")
      try await reader.close()
    }
  }

  /// Says what the feed does at its start and with each delivery.
  private func receive(
    _ log: TickLog, _ slots: [Int: [String]], until times: [Int: Int64], ticks count: Int = 1
  ) async throws {
    try await confirmed { log.setStreams(slots.values.flatMap(\.self), slots: slots, completion: $0) }
    try await log.append(ticks(count)) { transaction in
      for (slot, time) in times { try transaction.setWatermark(of: slot, to: time) }
    }
  }

  @Test func `a killed feed leaves a crash gap from where nothing is missing`() async throws {
    try await withLog { log, path in
      _ = try await log.beginFeed(streams: streams)
      try await receive(log, [1: streams], until: [1: someTime + 2], ticks: 3)
      try copyFiles(of: path, to: path + ".killed")
      let after = try await TickLog.open(path: path + ".killed", options: .make(), logger: silent)
      let gaps = try await after.beginFeed(streams: ["c@trade"]).openGaps
      #expect(gaps.map(\.cause) == [.crash])
      #expect(gaps.map(\.startedAt) == [someTime + 2])
      #expect(gaps.map(\.streams) == [streams])
      #expect(try await after.beginFeed(streams: streams).openGaps == gaps)
      try await after.close()
    }
  }

  /// One connection may have been deaf while the others delivered.
  @Test func `each slot of a killed feed leaves a gap of its own`() async throws {
    try await withLog { log, _ in
      _ = try await log.beginFeed(streams: ["a", "b", "c"])
      try await receive(log, [2: ["a"], 10: ["b"]], until: [2: 20, 10: 5])
      let gaps = try await log.beginFeed(streams: ["a", "b", "c"]).openGaps
      #expect(gaps.map(\.startedAt) == [20, 5])
      #expect(gaps.map(\.streams) == [["a"], ["b"]])
    }
  }

  /// It may have been sent ticks that were never committed.
  @Test func `a feed that is killed before its first tick leaves a gap from its start`() async throws {
    let clock = ManualWallClock(70)
    try await withLog(options: .make(clock: clock)) { log, _ in
      _ = try await log.beginFeed(streams: ["a", "b"])
      try await confirmed { log.setStreams(["a"], slots: [1: ["a"]], completion: $0) }
      clock.set(80)
      try await confirmed { log.setStreams(["a", "b"], slots: [1: ["a"], 2: ["b"]], completion: $0) }
      clock.set(90)
      let gaps = try await log.beginFeed(streams: ["a", "b"]).openGaps
      #expect(gaps.map(\.cause) == [.crash, .crash])
      #expect(gaps.map(\.startedAt) == [70, 80])
      #expect(gaps.map(\.streams) == [["a"], ["b"]])
    }
  }

  @Test func `a slot that is given up leaves no gap`() async throws {
    try await withLog { log, _ in
      _ = try await log.beginFeed(streams: ["a", "b"])
      try await receive(log, [1: ["a"], 2: ["b"]], until: [1: 5, 2: 6])
      try await confirmed { log.setStreams(["b", "c"], slots: [2: ["b", "c"]], completion: $0) }
      try await log.append(ticks(1)) { try $0.setWatermark(of: 1, to: 9) }
      let gaps = try await log.beginFeed(streams: []).openGaps
      #expect(gaps.map(\.startedAt) == [6])
      #expect(gaps.map(\.streams) == [["b", "c"]])
    }
  }

  @Test func `a gap that was open at the end stays the only one`() async throws {
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

  @Test func `a feed that received nothing leaves no gap`() async throws {
    try await withLog { log, _ in
      _ = try await log.beginFeed(streams: streams)
      try await log.endFeed(slots: [FeedEnd(streams: streams, lastDataAt: nil)])
      #expect(try await log.beginFeed(streams: streams).openGaps == [])
    }
  }

  @Test func `each slot that received something leaves a gap unless one is open for all its streams`()
    async throws
  {
    try await withLog { log, _ in
      _ = try await log.beginFeed(streams: ["a", "b", "c", "d", "e"])
      _ = try await log.write { try $0.openGap(startedAt: 1, cause: .closed, streams: ["a", "b"]) }
      try await log.endFeed(slots: [
        FeedEnd(streams: ["a"], lastDataAt: 2), FeedEnd(streams: ["b", "c"], lastDataAt: 3),
        FeedEnd(streams: ["d"], lastDataAt: 4), FeedEnd(streams: ["e"], lastDataAt: nil),
      ])
      let gaps = try await log.beginFeed(streams: []).openGaps
      #expect(gaps.map(\.streams) == [["a", "b"], ["b", "c"], ["d"]])
      #expect(gaps.map(\.startedAt) == [1, 3, 4])
      #expect(gaps.map(\.cause) == [.closed, .shutdown, .shutdown])
    }
  }

  @Test func `a killed feed's gap names the streams that no open gap names`() async throws {
    try await withLog { log, _ in
      _ = try await log.beginFeed(streams: ["a", "b", "c"])
      try await receive(log, [1: ["a", "b", "c"]], until: [1: someTime + 1])
      _ = try await log.write { try $0.openGap(startedAt: someTime, cause: .closed, streams: ["b"]) }
      let gaps = try await log.beginFeed(streams: ["x"]).openGaps
      #expect(gaps.map(\.cause) == [.closed, .crash])
      #expect(gaps.map(\.streams) == [["b"], ["a", "c"]])
      // Killed again before any tick: nothing more is missing than before.
      #expect(try await log.beginFeed(streams: ["x"]).openGaps == gaps)
      try await receive(log, [1: ["x"]], until: [1: someTime + 9])
      #expect(try await log.beginFeed(streams: ["x"]).openGaps.last?.streams == ["x"])
    }
  }

  @Test func `a killed feed whose streams nobody named leaves a gap too`() async throws {
    try await withLog { log, _ in
      _ = try await log.beginFeed(streams: [])
      try await receive(log, [1: []], until: [1: someTime])
      #expect(try await log.beginFeed(streams: []).openGaps.map(\.cause) == [.crash])
      #expect(try await log.beginFeed(streams: []).openGaps.count == 1)
    }
  }

  @Test func `the list that changes in a run is the one known`() async throws {
    try await withLog { log, _ in
      _ = try await log.beginFeed(streams: streams)
      try await confirmed { log.setStreams(["z"], slots: [:], completion: $0) }
      #expect(try await log.lastKnownStreams() == ["z"])
    }
  }

  // MARK: Attempts to connect

  private func confirmed(
    _ start: (@escaping @Sendable (Result<Void, any Error>) -> Void) -> Void
  ) async throws {
    try await withCheckedThrowingContinuation { continuation in
      start { continuation.resume(with: $0) }
    }
  }

  @Test func `a restart knows the attempts of the last five minutes`() async throws {
    let clock = ManualWallClock(1_000_000_000)
    try await withLog(options: .make(clock: clock)) { log, _ in
      #expect(try await log.beginFeed(streams: streams) == FeedStart())
      for seconds in [100, 399, 400] as [Int64] {
        try await confirmed { log.recordAttempt(at: seconds * 1_000_000, completion: $0) }
      }
      clock.set(400_000_000)
      #expect(try await log.beginFeed(streams: streams).attemptAges == [.seconds(1), .zero])
      clock.set(699_000_001)
      #expect(
        try await log.beginFeed(streams: streams).attemptAges == [.seconds(300) - .microseconds(999_999)])
    }
  }

  @Test func `the newest three hundred attempts are kept`() async throws {
    let clock = ManualWallClock(1_000_000_000)
    try await withLog(options: .make(clock: clock)) { log, _ in
      for number in 0..<310 as Range<Int64> {
        try await confirmed { log.recordAttempt(at: 1_000_000_000 + number, completion: $0) }
      }
      clock.set(1_000_001_000)
      let ages = try await log.beginFeed(streams: streams).attemptAges
      #expect(ages.count == 300)
      #expect(ages.first == .microseconds(990))
    }
  }

  @Test func `a clock set back makes no attempt younger than the restart`() async throws {
    let clock = ManualWallClock(9_000_000_000)
    try await withLog(options: .make(clock: clock)) { log, _ in
      try await confirmed { log.recordAttempt(at: 9_000_000_000, completion: $0) }
      clock.set(5_000_000_000)
      #expect(try await log.beginFeed(streams: streams).attemptAges == [.zero])
      // From then on it grows old like any other.
      clock.set(5_000_000_000 + 299_000_000)
      #expect(try await log.beginFeed(streams: streams).attemptAges == [.seconds(299)])
      clock.set(5_000_000_000 + 300_000_000)
      #expect(try await log.beginFeed(streams: streams).attemptAges == [])
    }
  }

  @Test func `a restart knows until when the exchange does not want to be asked`() async throws {
    try await withLog { log, _ in
      #expect(try await log.beginFeed(streams: streams).heldUntil == nil)
      try await confirmed { log.recordHold(until: 5_000_000, completion: $0) }
      try await confirmed { log.recordHold(until: 7_000_000, completion: $0) }
      #expect(try await log.beginFeed(streams: streams).heldUntil == 7_000_000)
    }
  }

  @Test func `a full queue refuses no attempt`() async throws {
    try await withLog(options: .make(capacity: 1)) { log, _ in
      var taken = true
      while taken { taken = try log.tryAppend(ticks(1_000)) { _ in } }
      try await confirmed { log.recordAttempt(at: WallClock.now(), completion: $0) }
      #expect(try await log.beginFeed(streams: streams).attemptAges.count == 1)
    }
  }

  @Test func `a closed log says so`() async throws {
    try await withLog { log, _ in
      try await log.close()
      await #expect(throws: LogError.self) {
        try await confirmed { log.recordAttempt(at: 1, completion: $0) }
      }
    }
  }

  @Test(arguments: Gap.Cause.allCases) func `every cause is kept`(_ cause: Gap.Cause) async throws {
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
