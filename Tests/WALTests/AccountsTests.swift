import Base
import LogFixtures
import TestSupport
import Testing

@testable import WAL

/// What the log says became of offsets.
@Suite struct AccountsTests {
  private let s3 = ConsumerName(rawValue: "s3")

  private func range(_ bounds: ClosedRange<Int64>) -> OffsetRange {
    Offset(rawValue: bounds.lowerBound)...Offset(rawValue: bounds.upperBound)
  }

  private func withReader(
    _ log: TickLog, _ body: (LogReader) async throws -> Void
  ) async throws {
    let reader = try await log.makeReader()
    try await body(reader)
    try await reader.close()
  }

  @Test func `plans of a range are those that hold some of it`() async throws {
    try await withLog { (log, _) async throws in
      try await log.append(ticks(50))
      for bounds in [1...10, 11...20, 31...40] as [ClosedRange<Int64>] {
        let plan = BatchPlan(
          consumer: s3, range: range(bounds), destination: "{}", bucket: "b", key: "\(bounds)", rows: 10,
          sha256: "")
        try await log.write { try $0.plan(plan) }
      }
      try await withReader(log) { (reader) async throws in
        func keys(_ bounds: ClosedRange<Int64>, atMost count: Int = 10) async throws -> [String] {
          try await reader.plans(of: s3, in: range(bounds), atMost: count).map(\.key)
        }
        #expect(try await keys(1...50) == ["1...10", "11...20", "31...40"])
        #expect(try await keys(10...11) == ["1...10", "11...20"])
        #expect(try await keys(15...31) == ["11...20", "31...40"])
        #expect(try await keys(21...30) == [])
        #expect(try await keys(5...6) == ["1...10"])
        #expect(try await keys(1...50, atMost: 1) == ["1...10"])
        #expect(try await reader.plans(of: ConsumerName(rawValue: "x"), in: range(1...50), atMost: 9) == [])
      }
    }
  }

  @Test func `dead and skipped offsets are those of one consumer in the range`() async throws {
    try await withLog { (log, _) async throws in
      try await log.append(ticks(50))
      try await log.write { [s3] transaction in
        for (offset, consumer) in [(3, "s3"), (7, "s3"), (7, "s3"), (8, "x"), (20, "s3")] {
          try transaction.connection.run(
            "INSERT INTO dead_letters VALUES (NULL, ?, ?, 'c', 1, x'', 0)", .int(offset), .text(consumer))
        }
        try transaction.skip(range(1...4), of: s3, why: "t")
        try transaction.skip(range(10...30), of: s3, why: "t")
      }
      try await withReader(log) { (reader) async throws in
        #expect(try await reader.deadOffsets(of: s3, in: range(3...19)).map(\.rawValue) == [3, 7])
        #expect(try await reader.deadLetterCount(of: s3, in: range(3...19)) == 2)
        #expect(try await reader.skipped(of: s3, in: range(3...15)) == [range(3...4), range(10...15)])
        #expect(try await reader.skipped(of: s3, in: range(5...9)) == [])
      }
    }
  }

  @Test func `a clock that was set back hides no offset of a time`() async throws {
    try await withLog { (log, _) async throws in
      var batch = TickBatch()
      for time in [10, 20, 90, 30, 40, 5] {
        batch.append(receivedAt: Int64(time), eventTime: nil, stream: "s", payload: "{}")
      }
      try await log.append(batch)
      try await withReader(log) { (reader) async throws in
        #expect(try await reader.firstOffset(receivedFrom: 80)?.rawValue == 3)
        #expect(try await reader.lastOffset(receivedUntil: 20)?.rawValue == 6)
        #expect(try await reader.lastOffset(receivedUntil: 4) == nil)
        #expect(try await reader.firstOffset(receivedFrom: 91) == nil)
      }
    }
  }

  @Test func `offsets of a time are found whatever is missing`() async throws {
    try await withLog { (log, _) async throws in
      var batch = TickBatch()
      for number in 1...40 {
        batch.append(receivedAt: Int64(number) * 10, eventTime: nil, stream: "s", payload: "{}")
      }
      try await log.append(batch)
      try await log.write {
        try $0.connection.run("DELETE FROM ticks WHERE offset <= 5 OR offset IN (12, 13)")
        try $0.setMeta("trimmed", "5")
      }
      try await withReader(log) { (reader) async throws in
        for (time, offset) in [(0, 6), (60, 6), (100, 10), (101, 11), (115, 14), (400, 40), (401, nil)] {
          #expect(try await reader.firstOffset(receivedFrom: Int64(time))?.rawValue == offset.map(Int64.init))
        }
        for (time, offset) in [(59, nil), (60, 6), (199, 19), (139, 11), (400, 40), (9_999, 40)] {
          #expect(try await reader.lastOffset(receivedUntil: Int64(time))?.rawValue == offset.map(Int64.init))
        }
      }
    }
  }
}
