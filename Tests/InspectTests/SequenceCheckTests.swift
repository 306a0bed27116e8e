import Foundation
import LogFixtures
import TestSupport
import Testing
import Ticks

@testable import Inspect
@testable import WAL

/// The exchange's ids of a log, as a set.
@Suite struct SequenceCheckTests {
  /// Payloads are an id each, or two: the one before the first, and the last.
  private static let ids: TickIDs = { stream, payload in
    let numbers = String(decoding: payload, as: UTF8.self).split { !$0.isNumber }.compactMap { Int64($0) }
    guard stream.elementsEqual("a@depth".utf8) || stream.elementsEqual("b@depth".utf8) else { return nil }
    return numbers.count == 2
      ? IDStep(after: numbers[0], last: numbers[1]) : IDStep(after: numbers[0] - 1, last: numbers[0])
  }

  private struct Tick {
    var id: Int64
    var at: Int64
    var stream = "a@depth"
    var eventTime: Int64?
  }

  private func check(_ ticks: [Tick], gaps: [(Int64, Int64?, [String])] = []) async throws -> [String] {
    try await withLog { log, path in
      var batch = TickBatch()
      for tick in ticks {
        batch.append(
          receivedAt: tick.at, eventTime: tick.eventTime, stream: tick.stream, payload: "{\"i\":\(tick.id)}")
      }
      _ = try await log.append(batch)
      for (from, to, streams) in gaps {
        let id = try await log.write { try $0.openGap(startedAt: from, cause: .closed, streams: streams) }
        if let to { try await log.write { try $0.closeGap(id, endedAt: to) } }
      }
      let result = try await LogVerification.of(path: path, consumers: kinds, ids: Self.ids)
      #expect(result.problems.isEmpty)
      #expect(result.sequences.count == result.sequences.first.count)
      return result.sequences.first.map {
        "\($0.stream) \($0.after)-\($0.before) \($0.startedAt)-\($0.endedAt)"
      }
    }
  }

  @Test func `ids without a hole are none, in whatever order they came`() async throws {
    let ids: [Int64] = [5, 6, 9, 8, 8, 7, 12, 11, 10]
    #expect(try await check(ids.enumerated().map { Tick(id: $1, at: Int64($0)) }) == [])
  }

  @Test func `what is missing is said with the ids and times beside it`() async throws {
    let found = try await check([
      Tick(id: 1, at: 10), Tick(id: 1, at: 11, stream: "b@depth"), Tick(id: 4, at: 20), Tick(id: 9, at: 20),
      Tick(id: 6, at: 30), Tick(id: 2, at: 31, stream: "b@depth"), Tick(id: 77, at: 32, stream: "c@depth5"),
      Tick(id: 99, at: 33, stream: "c@depth5"),
    ])
    #expect(found == ["a@depth 1-4 10-20", "a@depth 4-6 20-30", "a@depth 6-9 20-30"])
  }

  @Test func `what a gap speaks of is left out`() async throws {
    let ticks = [
      Tick(id: 1, at: 10), Tick(id: 4, at: 20), Tick(id: 5, at: 30), Tick(id: 7, at: 30), Tick(id: 9, at: 40),
    ]
    let missing = ["a@depth 1-4 10-20", "a@depth 5-7 30-31", "a@depth 7-9 30-40"]
    #expect(try await check(ticks) == missing)
    #expect(try await check(ticks, gaps: [(0, nil, ["b@depth"])]) == missing)
    #expect(try await check(ticks, gaps: [(0, 10, ["a@depth"])]) == missing)
    #expect(try await check(ticks, gaps: [(0, 11, ["a@depth"])]) == Array(missing[1...]))
    #expect(try await check(ticks, gaps: [(30, 31, ["b@depth", "a@depth"])]) == [missing[0]])
    #expect(try await check(ticks, gaps: [(35, nil, ["a@depth"])]) == Array(missing[..<2]))
    #expect(try await check(ticks, gaps: [(0, nil, ["a@depth"])]) == [])
  }

  @Test func `ids that begin anew at a later time are a new count`() async throws {
    let found = try await check([
      Tick(id: 900, at: 1, eventTime: 10_000), Tick(id: 902, at: 2, eventTime: 10_001),
      Tick(id: 901, at: 3, eventTime: 10_900), Tick(id: 904, at: 4, eventTime: 11_500),
      Tick(id: 3, at: 5, eventTime: 13_000), Tick(id: 4, at: 6, eventTime: 13_001),
      Tick(id: 6, at: 7, eventTime: 13_002),
    ])
    #expect(found == ["a@depth 902-904 2-4", "a@depth 4-6 6-7"])
  }

  /// In memory are holes, not ticks; a model has them all.
  @Test(arguments: 1...40) func `a set of ids has the holes that it has`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var check = SequenceCheck()
    var all: Set<Int64> = [0]
    var base: Int64 = 0
    func add(_ first: Int64, _ last: Int64) {
      guard let step = IDStep(after: first - 1, last: last) else { return }
      "a@depth".withCString { name in
        check.add(
          step, stream: UnsafeRawBufferPointer(start: name, count: 7), receivedAt: last, eventTime: nil)
      }
      all.formUnion(first...last)
    }
    add(0, 0)
    for _ in 0..<400 {
      base += Int64(random.next() % 4)
      let first = max(1, base - Int64(random.next() % 12))
      add(first, first + Int64(random.next() % 3))
    }
    var missing: Set<Int64> = []
    for skip in check.findings.first { missing.formUnion(skip.after + 1..<skip.before) }
    #expect(check.findings.count <= SequenceFindings.kept)
    #expect(missing == Set(0...(all.max() ?? 0)).subtracting(all), "seed \(seed)")
  }
}
