import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct GapsTests {
  private func id(_ value: Int64) -> Gap.ID { Gap.ID(rawValue: value) }

  @Test func `gaps are read in pages of a number and of bytes`() async throws {
    try await withLog { log, _ in
      try await log.write { transaction in
        for number in Int64(1)...20 {
          let gap = try transaction.openGap(
            startedAt: number, cause: .stale, streams: ["btcusdt@trade", "ethusdt@trade"])
          if number.isMultiple(of: 2) { try transaction.closeGap(gap, endedAt: number + 5) }
        }
        try transaction.connection.run("UPDATE gaps SET streams = '[' WHERE id = 9")
      }
      let reader = try await log.makeReader()
      #expect(try await reader.gaps(from: id(1), atMost: 7).map(\.id.rawValue) == Array(1...7))
      #expect(try await reader.gaps(from: id(18), atMost: 7).map(\.id.rawValue) == [18, 19, 20])
      #expect(try await reader.gaps(from: id(21), atMost: 7) == [])
      // 33 bytes of names each.
      #expect(try await reader.gaps(from: id(1), atMost: 7, bytes: 40).map(\.id.rawValue) == [1, 2])
      #expect(try await reader.gaps(from: id(1), atMost: 7, bytes: 1).map(\.id.rawValue) == [1])
      let gaps = try await reader.gaps(from: id(8), atMost: 2)
      #expect(
        gaps[0]
          == Gap(
            id: id(8), startedAt: 8, endedAt: 13, cause: .stale, streams: ["btcusdt@trade", "ethusdt@trade"]))
      // A damaged list of streams does not hide the gap.
      #expect((gaps[1].endedAt, gaps[1].streams) == (nil, []))
      #expect(try await reader.newestGap() == id(20))
      #expect(try await reader.notOpen(of: [id(3), id(4), id(21), id(5)]) == [id(4), id(21)])
      #expect(try await reader.notOpen(of: []) == [])
      try await reader.close()
    }
  }

  @Test func `the status counts the gaps of the last day by cause`() async throws {
    try await withLog { log, _ in
      let day: Int64 = 86_400_000_000
      try await log.write { transaction in
        func gap(_ cause: Gap.Cause, from start: Int64, to end: Int64?) throws {
          let id = try transaction.openGap(startedAt: someTime + start, cause: cause, streams: ["a"])
          if let end { try transaction.closeGap(id, endedAt: someTime + end) }
        }
        try gap(.closed, from: -3 * day, to: -2 * day)
        try gap(.closed, from: -3 * day, to: -day - 1)
        try gap(.closed, from: -3 * day, to: -day)
        try gap(.closed, from: -5, to: -4)
        try gap(.crash, from: -9 * day, to: -8 * day)
        try gap(.stale, from: -9 * day, to: nil)
        try gap(.stale, from: -1, to: nil)
      }
      let reader = try await log.makeReader()
      let status = try await reader.status(now: someTime)
      #expect(status.endedGaps == 5)
      #expect(status.openGaps.count == 2)
      #expect(status.recentGaps == [.closed: 2, .stale: 2])
      #expect(status.readAt == someTime)
      try await reader.close()
    }
  }

  @Test func `a gap keeps its detail, and one that has ended can be extended`() async throws {
    try await withLog { log, _ in
      let (open, whole) = try await log.write { transaction in
        (
          try transaction.openGap(startedAt: 5, cause: .unsubscribed, streams: ["a"], detail: "{\"code\":4}"),
          try transaction.addGap(startedAt: 7, endedAt: 9, cause: .sequence, streams: ["b"], detail: "[1]")
        )
      }
      let reader = try await log.makeReader()
      func gaps() async throws -> [Gap] { try await reader.gaps(from: id(1), atMost: 9) }
      let opened = Gap(
        id: open, startedAt: 5, endedAt: nil, cause: .unsubscribed, streams: ["a"], detail: "{\"code\":4}")
      func added(_ endedAt: Int64, _ detail: String?) -> Gap {
        Gap(id: whole, startedAt: 7, endedAt: endedAt, cause: .sequence, streams: ["b"], detail: detail)
      }
      #expect(try await gaps() == [opened, added(9, "[1]")])
      #expect(try await reader.openGaps() == [opened])
      try await log.write { try $0.extendGap(whole, endedAt: 12, detail: "[1,2]") }
      #expect(try await gaps() == [opened, added(12, "[1,2]")])
      // Its end does not go back.
      try await log.write { try $0.extendGap(whole, endedAt: 8, detail: nil) }
      #expect(try await gaps() == [opened, added(12, nil)])
      for missing in [open, id(9)] {
        let error = try await logError {
          try await log.write { try $0.extendGap(missing, endedAt: 99, detail: nil) }
        }
        #expect(error.code == .notFound)
      }
      let backwards = try await log.write {
        try $0.addGap(startedAt: 7, endedAt: 2, cause: .sequence, streams: [])
      }
      #expect(try await reader.gaps(from: backwards, atMost: 1).first?.endedAt == 7)
      try await log.write { try $0.connection.run("UPDATE gaps SET detail = '{' WHERE id = 1") }
      #expect(try await gaps().first?.detail == nil)
      try await reader.close()
    }
  }

  @Test func `every commit that opens or closes gaps is counted and no other`() async throws {
    try await withLog { log, _ in
      #expect(log.gapChanges == 0)
      let gap = try await log.write { try $0.openGap(startedAt: 1, cause: .closed, streams: []) }
      try await log.append(ticks(3))
      #expect(try await log.gapChanges(beyond: 0) == 1)
      try await log.append(ticks(3)) { try $0.closeGap(gap, endedAt: 2) }
      #expect(try await log.gapChanges(beyond: 1) == 2)
      try await log.append(ticks(3))
      #expect(log.gapChanges == 2)
    }
  }
}
