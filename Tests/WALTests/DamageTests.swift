import Foundation
import Inspect
import LogFixtures
import TestSupport
import Testing

@testable import WAL

/// What is damaged costs its own ticks and no others, and never reads as something else.
@Suite struct DamageTests {
  /// A closed log of 100 ticks, altered with SQL.
  private func badOffsets(_ sql: String) async throws -> [Int64: String] {
    try await withLog { log, path in
      try await log.append(ticks(100))
      try await log.close()
      try alter(path, sql)
      let reader = try await LogReader(path: path)
      var causes: [Int64: String] = [:]
      var next = Offset.first
      while let range = try await page(reader, from: next, into: &causes) { next = range.upperBound.next }
      #expect(next == Offset(rawValue: 101))
      let read = try await readAll(reader)
      let expected = lines(ticks(100))
      for offset in Int64(1)...100 where causes[offset] == nil {
        #expect(read.ticks[offset] == expected[Int(offset) - 1])
      }
      #expect(read.ticks.count + causes.count == 100)
      try await reader.close()
      return causes
    }
  }

  private func page(
    _ reader: LogReader, from next: Offset, into causes: inout [Int64: String]
  ) async throws -> OffsetRange? {
    let page = try await reader.page(from: next, maximumTicks: 7)
    for bad in page.bad { causes[bad.offset.rawValue] = bad.cause }
    return page.range
  }

  @Test(arguments: [
    ("offset = 1", [1]), ("offset = 50", [50]), ("offset = 100", [100]), ("offset IN (6, 7, 8)", [6, 7, 8]),
    ("offset > 90", Array(91...100)), ("offset < 20", Array(1...19)), ("1", Array(1...100)),
  ])
  func `a missing row is bad and its neighbours are not`(_ condition: String, _ missing: [Int64]) async throws
  {
    let causes = try await badOffsets("DELETE FROM ticks WHERE \(condition)")
    #expect(causes.keys.sorted() == missing)
    #expect(Set(causes.values) == ["the row is missing"])
  }

  @Test(arguments: [
    "received_at = received_at + 1", "event_time = 0", "event_time = event_time + 1", "event_time = NULL",
    "stream = stream || 'x'", "stream = 'btcusdt@minitIcker'", "payload = payload || ' '",
    "payload = substr(payload, 2)", "stream = '', payload = stream || payload", "checksum = checksum + 1",
    "checksum = NULL", "checksum = '' || checksum || ' x'", "checksum = checksum - 4294967296",
    "payload = ''", "received_at = 'x'",
  ])
  func `an altered column is noticed`(_ assignment: String) async throws {
    // Of 5 the event time is a number, of 6 it is NULL.
    for offset in [Int64(5), 6] {
      if assignment == "event_time = event_time + 1" || assignment == "event_time = NULL", offset == 6 {
        continue
      }
      let causes = try await badOffsets(
        """
        PRAGMA writable_schema = 1;
        UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'ticks';
        PRAGMA writable_schema = RESET;
        UPDATE ticks SET \(assignment) WHERE offset = \(offset);
        """)
      #expect(causes == [offset: "the row's checksum is wrong"], "\(assignment) at \(offset)")
    }
  }

  /// One bit makes a text a blob.
  @Test(arguments: ["payload", "stream"])
  func `bytes that are right under another type are the tick for all that read`(_ column: String) async throws
  {
    try await withLog { log, path in
      try await log.append(ticks(100))
      try await log.close()
      try alter(path, "UPDATE ticks SET \(column) = CAST(\(column) AS BLOB) WHERE offset = 50")
      #expect(try await contents(of: path).ticks[50] == lines(ticks(100))[49])
      let check = try await LogVerification.of(path: path, consumers: kinds)
      #expect(check.good == 100)
      #expect(check.problems.first.map(\.text) == ["offset 50: whole, but stored under a wrong type"])
      let outcome = try await salvage(path, to: path + ".saved")
      #expect(outcome.ticks == 100)
      #expect(outcome.foundOnPages == 0)
      #expect(try await records(of: path + ".saved").filter { $0.hasPrefix("dead_letters") } == [])
      #expect(try await LogVerification.of(path: path + ".saved", consumers: kinds).problems.first == [])
    }
  }

  @Test func `two rows that changed places are both noticed`() async throws {
    let causes = try await badOffsets(
      """
      UPDATE ticks SET offset = -1 WHERE offset = 30; UPDATE ticks SET offset = 30 WHERE offset = 31;
      UPDATE ticks SET offset = 31 WHERE offset = -1
      """)
    #expect(causes.keys.sorted() == [30, 31])
  }

  @Test func `of a bad row the payload is kept`() async throws {
    try await withLog { log, path in
      try await log.append(ticks(3))
      try await log.close()
      try alter(path, "UPDATE ticks SET received_at = 1 WHERE offset = 2")
      let reader = try await LogReader(path: path)
      let page = try await reader.page(from: .first, maximumTicks: 3)
      #expect(page.bad.map(\.payload) == [Array("{\"n\":2,\"pad\":\"\"}".utf8)])
      #expect(page.offsets.map(\.rawValue) == [1, 3])
      try await reader.close()
    }
  }

  /// A leaf of the ticks' table: its place in the file and which ticks lie on it.
  private struct Leaf {
    let start: Int
    let numbers: Set<Int64>
  }

  private func leaves(of bytes: [UInt8], count: Int) -> [Leaf] {
    stride(from: 4_096, to: bytes.count, by: 4_096).compactMap { start in
      guard bytes[start] == 0x0D else { return nil }
      let text = String(decoding: bytes[start..<start + 4_096], as: UTF8.self)
      let numbers = text.matches(of: /\{"n":(\d+),"pad/).compactMap { Int64($0.1) }
      return numbers.isEmpty ? nil : Leaf(start: start, numbers: Set(numbers))
    }
  }

  /// The page with the oldest tick is where a start looks first.
  @Test(arguments: [Int64(1), 1_000])
  func `a damaged page costs its own ticks`(number: Int64) async throws {
    try await withLog { log, path in
      try await log.append(ticks(2_000))
      try await log.close()
      var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
      let leaves = leaves(of: bytes, count: 2_000)
      #expect(leaves.reduce(0) { $0 + $1.numbers.count } == 2_000)
      let leaf = try #require(leaves.first { $0.numbers.contains(number) })
      for index in leaf.start..<leaf.start + 100 { bytes[index] ^= 0xFF }
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      let again = try await TickLog.open(path: path, options: .make(), logger: silent)
      #expect(try await again.enable([s3, dynamo]).map(\.next) == [.first, .first])
      #expect(try await again.append(ticks(1, from: 2_001)) == offsets(2_001...2_001))
      let reader = try await again.makeReader()
      let read = try await readAll(reader)
      #expect(Set(read.bad) == leaf.numbers)
      #expect(read.ticks.count == 2_001 - leaf.numbers.count)
      #expect(try await reader.status().oldest == .first)
      // A start of the objects' consumer asks this of the first tick that has no object.
      let after = try #require(leaf.numbers.max())
      #expect(
        try await reader.receivedAt(from: Offset(rawValue: number))
          == (try await reader.receivedAt(from: Offset(rawValue: after + 1))))
      try await reader.close()
      try await again.close()
    }
  }

  @Test func `the time of a damaged tick is not believed`() async throws {
    try await withLog { log, path in
      try await log.append(ticks(3))
      try await log.close()
      try alter(path, "UPDATE ticks SET received_at = received_at + 1000000 WHERE offset = 2")
      let reader = try await LogReader(path: path)
      let times = try await reader.page(from: .first, maximumTicks: 3).ticks.entries.map(\.receivedAt)
      #expect(try await reader.receivedAt(from: Offset(rawValue: 1)) == times.first)
      #expect(try await reader.receivedAt(from: Offset(rawValue: 2)) == times.last)
      #expect(try await reader.receivedAt(from: Offset(rawValue: 4)) == times.last)
      try await reader.close()
    }
  }

  @Test func `any bytes of a page turned cost at most its own ticks`() async throws {
    var random = SplitMix64.forTest()
    try await withLog { log, path in
      try await log.append(ticks(1_000, padding: 40))
      try await log.close()
      let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
      let leaves = leaves(of: whole, count: 1_000)
      let expected = lines(ticks(1_000, padding: 40))
      for _ in 0..<150 {
        var bytes = whole
        let leaf = try #require(leaves.randomElement(using: &random))
        // The head of the page and its cell pointers are where one byte does the most.
        let reach = Bool.random(using: &random) ? 80 : 4_096
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          bytes[leaf.start + .random(in: 0..<reach, using: &random)] ^= UInt8.random(
            in: 1...255, using: &random)
        }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let reader = try await LogReader(path: path)
        let read = try await readAll(reader, pageTicks: 300)
        try await reader.close()
        #expect(Set(read.bad).isSubset(of: leaf.numbers))
        #expect(read.ticks.count + read.bad.count == 1_000)
        for (offset, line) in read.ticks { #expect(line == expected[Int(offset) - 1]) }
      }
    }
  }

  @Test func `a damaged inner page never reads as another tick`() async throws {
    var random = SplitMix64.forTest()
    try await withLog { log, path in
      try await log.append(ticks(1_000, padding: 40))
      try await log.close()
      let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
      let expected = lines(ticks(1_000, padding: 40))
      let inner = stride(from: 4_096, to: whole.count, by: 4_096).filter { whole[$0] == 0x05 }
      #expect(!inner.isEmpty)
      for _ in 0..<50 {
        var bytes = whole
        let start = try #require(inner.randomElement(using: &random))
        bytes[start + .random(in: 0..<300, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let reader = try await LogReader(path: path)
        let read = try await readAll(reader, pageTicks: 300)
        try await reader.close()
        #expect(read.ticks.count + read.bad.count == 1_000)
        for (offset, line) in read.ticks { #expect(line == expected[Int(offset) - 1]) }
      }
    }
  }
}
