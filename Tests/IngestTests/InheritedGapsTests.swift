import Logging
import TestSupport
import Testing
import WAL

@testable import Ingest

@Suite struct InheritedGapsTests {
  private let first = SlotID(number: 1)
  private let second = SlotID(number: 2)

  /// Gaps as a log gives them back, ids counting from 1.
  private func gaps(_ streams: [String]...) async throws -> [Gap] {
    try await withTemporaryFolder { folder in
      let log = try await TickLog.open(
        path: folder + "/ticks.db", options: TickLog.Options(), logger: Logger(label: "test"))
      for list in streams {
        _ = try await log.write { try $0.openGap(startedAt: 1, cause: .shutdown, streams: list) }
      }
      let gaps = try await log.beginFeed(streams: [], attempts: ExchangeLimits.binance.attemptMemory).openGaps
      try await log.close()
      return gaps
    }
  }

  private func closed(_ changes: [GapChange]) -> [Int64] {
    changes.flatMap { change in
      if case .close(_, let gaps) = change { return gaps.all.map(\.rawValue) }
      return []
    }
  }

  @Test func `a gap ends with the first data of all slots that carry streams of it`() async throws {
    var inherited = InheritedGaps(try await gaps(["a", "b"], ["a"], ["b", "gone"]))
    inherited.setSlots([first: ["a", "x"], second: ["b"]])
    #expect(closed(inherited.dataArrived(first, at: 5)) == [2])
    #expect(closed(inherited.dataArrived(first, at: 6)) == [])
    let changes = inherited.dataArrived(second, at: 7)
    #expect(closed(changes) == [1, 3])
    for case .close(let endedAt, _) in changes { #expect(endedAt == 7) }
    #expect(inherited.isEmpty)
    #expect(closed(inherited.dataArrived(second, at: 8)) == [])
  }

  @Test func `a gap of streams that nobody subscribes to ends with any data`() async throws {
    var inherited = InheritedGaps(try await gaps(["gone"], []))
    inherited.setSlots([first: ["a"], second: ["b"]])
    #expect(closed(inherited.dataArrived(second, at: 5)) == [1, 2])
  }

  @Test func `when the list changes, what is left of it counts`() async throws {
    var inherited = InheritedGaps(try await gaps(["a", "b"]))
    inherited.setSlots([first: ["a"], second: ["b"]])
    #expect(closed(inherited.dataArrived(first, at: 5)) == [])
    inherited.setSlots([first: ["a"]])
    #expect(closed(inherited.dataArrived(first, at: 6)) == [1])
  }

  @Test func `a retired slot's gap ends when its streams are no one's, or with their new slot`() async throws
  {
    var inherited = InheritedGaps([])
    inherited.setSlots([first: ["a"], second: ["b"]])
    #expect(closed(inherited.dataArrived(first, at: 5)) == [])
    let gap = OpenGaps()
    inherited.adopt(gap, streams: ["b"])
    inherited.setSlots([first: ["a", "b"]])
    // Its id becomes known when the log has written it.
    gap.set(try #require(try await gaps(["b"]).first?.id))
    #expect(closed(inherited.dataArrived(first, at: 6)) == [1])
  }

  @Test func `open gaps cover a slot if they name all of its streams`() async throws {
    var inherited = InheritedGaps(try await gaps(["a", "b"], ["c"]))
    inherited.setSlots([first: ["a"]])
    #expect(inherited.cover(["a", "c"]))
    #expect(!inherited.cover(["a", "x"]))
    _ = inherited.dataArrived(first, at: 1)
    #expect(!inherited.cover([]))
  }
}
