import Base
import Foundation
import LogFixtures
import Synchronization
import TestSupport
import Testing

@testable import Inspect
@testable import WAL

@Suite(.serialized) struct SalvageTests {
  private func withFullLog(
    ticks: Int = 400, padding: Int = 0, _ body: (_ path: String, _ output: String) async throws -> Void
  ) async throws {
    try await withTemporaryFolder { folder in
      try await makeFullLog(folder + "/ticks.db", ticks: ticks, padding: padding)
      try await body(folder + "/ticks.db", folder + "/saved.db")
    }
  }

  @Test func `a whole log is copied whole and not touched`() async throws {
    try await withFullLog { path, output in
      let before = try bytes(of: path)
      let outcome = try await salvage(path, to: output)
      #expect(outcome.ticks == 400)
      #expect(outcome.lost == 0)
      #expect(outcome.notes == [])
      #expect(try bytes(of: path) == before)
      #expect(try await records(of: output) == records(of: path))
      let read = try await contents(of: output)
      #expect((1...400).map { read.ticks[$0] } == lines(ticks(400)))
      #expect(try await LogVerification.of(path: output, consumers: kinds).problems.first == [])
      #expect(!FileManager.default.fileExists(atPath: output + ".part"))
      #expect(!FileManager.default.fileExists(atPath: output + ".image"))
      var info = stat()
      #expect(stat(output, &info) == 0 && info.st_mode & 0o777 == 0o600)
    }
  }

  @Test func `what is there is not overwritten`() async throws {
    try await withFullLog { path, output in
      try write([1, 2, 3], to: output)
      let error = try await logError { _ = try await salvage(path, to: output) }
      #expect(error.description.contains("is there already"))
      #expect(try bytes(of: output) == [1, 2, 3])
      let itself = try await logError { _ = try await salvage(path, to: path) }
      #expect(itself.description.contains("is there already"))
      #expect(try await LogVerification.of(path: path, consumers: kinds).problems.first == [])
    }
  }

  /// So short that the head is beyond what the rest could hold.
  @Test func `a log that was cut off is saved as far as it is there`() async throws {
    try await withFullLog(ticks: 8_000, padding: 120) { path, output in
      try write(Array(try bytes(of: path).prefix(24 * 4_096)), to: path)
      let outcome = try await salvage(path, to: output)
      #expect(outcome.ticks > 50)
      #expect(outcome.ticks + outcome.lost == 8_000)
      #expect(outcome.head == Offset(rawValue: 8_000))
      #expect(try await LogVerification.of(path: output, consumers: kinds).problems.first == [])
      let read = try await contents(of: output)
      let expected = lines(ticks(8_000, padding: 120))
      for (offset, line) in read.ticks { #expect(line == expected[Int(offset) - 1]) }
      #expect(read.ticks.count == outcome.ticks)
      let log = try await TickLog.open(path: output, options: .make(), logger: silent)
      #expect(try await log.append(ticks(1, from: 8_001)) == offsets(8_001...8_001))
      try await log.close()
      #expect(try await LogVerification.of(path: output, consumers: kinds).problems.first == [])
    }
  }

  @Test func `what is lost is written down and the rest goes on`() async throws {
    try await withFullLog { path, output in
      try alter(
        path,
        "DELETE FROM ticks WHERE offset BETWEEN 40 AND 44; UPDATE ticks SET received_at = 0 WHERE offset = 90"
      )
      let outcome = try await salvage(path, to: output)
      #expect(outcome.ticks == 394)
      #expect(outcome.lostRanges == [offsets(40...44), offsets(90...90)])
      let check = try await LogVerification.of(path: output, consumers: kinds)
      #expect(check.problems.first == [])
      #expect(check.good == 394)
      #expect(check.lost == 6)
      let rows = try await records(of: output)
      #expect(
        rows.contains {
          $0.hasPrefix("dead_letters") && $0.contains("|90|salvage|the row's checksum is wrong|0|{\"n\":90")
        })
      // Consumers go on as they would in the old one.
      let reader = try await LogReader(path: output)
      let page = try await reader.page(from: Offset(rawValue: 39), maximumTicks: 7)
      #expect(page.bad.map(\.offset.rawValue) == [40, 41, 42, 43, 44])
      try await reader.close()
      let log = try await TickLog.open(path: output, options: .make(), logger: silent)
      #expect(try await log.append(ticks(1, from: 401)) == offsets(401...401))
      try await log.close()
      // And once more.
      let again = try await salvage(output, to: output + "2")
      #expect(again.lost == 6)
      #expect(try await LogVerification.of(path: output + "2", consumers: kinds).problems.first == [])
    }
  }

  @Test func `ticks are found on pages that nothing leads to any more`() async throws {
    try await withFullLog(ticks: 2_000, padding: 200) { path, output in
      var file = try bytes(of: path)
      let inner = stride(from: 4_096, to: file.count, by: 4_096).filter { file[$0] == 0x05 }
      #expect(!inner.isEmpty)
      for start in inner { for index in start..<start + 4_096 { file[index] = 0xA5 } }
      try write(file, to: path)
      let outcome = try await salvage(path, to: output)
      #expect(outcome.lost == 0)
      #expect(outcome.foundOnPages > 1_000)
      let read = try await contents(of: output)
      #expect((1...2_000).map { read.ticks[$0] } == lines(ticks(2_000, padding: 200)))
      #expect(try await LogVerification.of(path: output, consumers: kinds).problems.first == [])
    }
  }

  /// A page with one row that claims so many bytes and goes on at page 2.
  private func page(claiming length: Int) -> [UInt8] {
    func varint(_ value: Int) -> [UInt8] {
      let groups = (0..<5).reversed().map { UInt8(truncatingIfNeeded: value >> (7 * $0)) | 0x80 }
      return groups.dropLast() + [groups[4] & 0x7F]
    }
    // Of its head: its own length, five NULLs and a blob that fills the row.
    let head: [UInt8] = [11, 0, 0, 0, 0, 0] + varint((length - 11) * 2 + 12)
    let cell = varint(length) + [1] + head
    var page = [UInt8](repeating: 0, count: 4_096)
    page.replaceSubrange(0..<10, with: [LeafPage.table, 0, 0, 0, 1, 0, 0, 0, 0, 100])
    page.replaceSubrange(100..<100 + cell.count, with: cell)
    let least = (4_096 - 12) * 32 / 255 - 23
    let fitting = least + (length - least) % 4_092
    let here = fitting <= 4_096 - 35 ? fitting : least
    page.replaceSubrange(106 + here..<110 + here, with: [0, 0, 0, 2])
    return page
  }

  @Test func `a row is followed no further than there are pages and never in a circle`() throws {
    var asked: [UInt32] = []
    /// Pages 2 and 3 lead to one another.
    func rows(claiming length: Int, pages: Int) throws -> Int {
      asked = []
      let leaf = LeafPage(page(claiming: length), reserved: 0, pages: pages) { (number) throws(LogError) in
        asked.append(number)
        return [0, 0, 0, number == 2 ? 3 : 2] + [UInt8](repeating: 7, count: 4_092)
      }
      return try leaf.rows(columns: 6, isTable: true, everywhere: false).count
    }
    #expect(try rows(claiming: 9_000, pages: 3) == 1)
    #expect(asked == [2, 3])
    #expect(try rows(claiming: 900_000_000, pages: 3) == 0)
    #expect(asked == [])
    #expect(try rows(claiming: 20_000, pages: 100) == 0)
    #expect(asked == [2, 3])
  }

  @Test func `a log that is in use is not salvaged`() async throws {
    try await withFullLog { path, output in
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      let error = try await logError { _ = try await salvage(path, to: output) }
      #expect(error.code == .inUse(pid: getpid()))
      #expect(error.description.contains("\(getpid())"))
      #expect(!FileManager.default.fileExists(atPath: output))
      try await log.close()
      #expect(try await salvage(path, to: output).ticks == 400)
    }
  }

  @Test func `a process that starts during a salvage ends it`() async throws {
    try await withFullLog { path, output in
      let lock = Mutex<LogLock?>(nil)
      let salvage = try LogSalvage(of: path, to: output, consumers: kinds) { _ in
        lock.withLock { lock in
          do {
            if lock == nil { lock = try LogLock(logPath: path) }
          } catch {
            Issue.record(error)
          }
        }
      }
      let error = try await logError { _ = try await salvage.run() }
      #expect(error.code == .inUse(pid: getpid()))
      for suffix in ["", ".part", ".image"] {
        #expect(!FileManager.default.fileExists(atPath: output + suffix))
      }
    }
  }

  @Test(arguments: [0, 300, 3_990, 4_010, 4_030, 4_230, 5_000, 8_300, 70_000])
  func `ticks of any length are read from pages`(_ padding: Int) async throws {
    try await withFullLog(ticks: 60, padding: padding) { path, _ in
      let pages = try RawPages(path: path, wal: nil)
      defer { pages.close() }
      var found: Set<Int64> = []
      for number in 1...pages.count {
        try RawTicks(pages: pages).visit(page: UInt32(number)) { row in
          #expect(row.payload.count == "{\"n\":\(row.offset),\"pad\":\"\"}".utf8.count + padding)
          found.insert(row.offset.rawValue)
        }
      }
      #expect(found == Set(1...60))
    }
  }

  @Test(arguments: [0..<100, 100..<2_000, 0..<4_096, 16..<20, 20..<21, 56..<60, 68..<72])
  func `a damaged first page costs nothing`(_ range: Range<Int>) async throws {
    try await withFullLog { path, output in
      let expected = try await records(of: path)
      var file = try bytes(of: path)
      for index in range { file[index] ^= 0x55 }
      try write(file, to: path)
      let error = try await logError {
        try await TickLog.open(path: path, options: .make(), logger: silent).close()
      }
      #expect(error.code == .notALog)
      let outcome = try await salvage(path, to: output)
      #expect(outcome.ticks == 400)
      #expect(outcome.lost == 0)
      #expect(try await records(of: output) == expected)
      #expect(try await LogVerification.of(path: output, consumers: kinds).problems.first == [])
    }
  }

  @Test func `a truncated log is refused and its rest saved`() async throws {
    try await withFullLog(ticks: 1_000) { path, output in
      let whole = try bytes(of: path)
      for (number, length) in [whole.count - 4_096, whole.count * 3 / 4, whole.count * 3 / 4 + 700]
        .enumerated()
      {
        try write(Array(whole.prefix(length)), to: path)
        let error = try await logError {
          try await TickLog.open(path: path, options: .make(), logger: silent).close()
        }
        #expect(error.code == .notALog)
        #expect(error.description.contains("verify --salvage"))
        let saved = output + "\(number)"
        let outcome = try await salvage(path, to: saved)
        #expect(outcome.lost > 0)
        let read = try await contents(of: saved)
        let expected = lines(ticks(1_000))
        for (offset, line) in read.ticks { #expect(line == expected[Int(offset) - 1]) }
        #expect(read.ticks.count == outcome.ticks)
        #expect(try await LogVerification.of(path: saved, consumers: kinds).problems.first == [])
      }
    }
  }

  @Test(arguments: [
    "DELETE FROM meta", "DELETE FROM meta WHERE key = 'log_id'", "DELETE FROM consumers",
    "DELETE FROM batches WHERE first_offset = 101", "DELETE FROM batches WHERE first_offset < 120",
    "UPDATE batches SET last_offset = 151 WHERE first_offset = 101",
    "UPDATE batches SET last_offset = 100000 WHERE first_offset = 101", "UPDATE batches SET sha256 = 'x'",
    "UPDATE consumers SET next_offset = 99999", "UPDATE consumers SET next_offset = 310",
    "UPDATE consumers SET next_offset = 1", "UPDATE meta SET value = 5 WHERE key = 'head'",
    "UPDATE meta SET value = 1 << 50 WHERE key = 'head'", "UPDATE gaps SET ended_at = 1",
    "UPDATE dead_letters SET offset = 5000", "UPDATE skipped SET consumer = 'x'",
    "INSERT INTO meta VALUES ('trimmed', 500)",
  ])
  func `whatever the records say the new log is whole`(_ sql: String) async throws {
    try await withFullLog { path, output in
      let reader = try await LogReader(path: path)
      let logID = try await reader.logID()
      try await reader.close()
      try alter(path, "PRAGMA ignore_check_constraints = ON; \(sql)")
      #expect(try await !LogVerification.of(path: path, consumers: kinds).problems.isEmpty)
      let outcome = try await salvage(path, to: output)
      #expect(outcome.ticks == 400)
      #expect(outcome.lost == 0)
      #expect(outcome.head == Offset(rawValue: 400))
      // Also found in the names of the objects.
      #expect(outcome.logID == logID)
      #expect(!outcome.hasNewLogID)
      #expect(try await LogVerification.of(path: output, consumers: kinds).problems.first == [])
      let log = try await TickLog.open(path: output, options: .make(), logger: silent)
      #expect(try await log.append(ticks(1, from: 401)) == offsets(401...401))
      try await log.close()
    }
  }

  @Test func `what another build has written for a consumer of its own is whole and is kept`() async throws {
    try await withFullLog { path, output in
      try alter(
        path,
        """
        UPDATE consumers SET name = 'kafka-2' WHERE name = 's3';
        UPDATE batches SET consumer = 'kafka-2' WHERE consumer = 's3';
        INSERT INTO consumers VALUES ('queue', 5, '{}', 1, 1, 0);
        INSERT INTO skipped VALUES ('queue', 3, 4, 'seek', 1);
        INSERT INTO dead_letters VALUES (90, 2, 'queue', 'x', 1, x'00', 1), (91, NULL, 'import', 'x', 1, x'00', 1);
        """)
      #expect(try await LogVerification.of(path: path, consumers: kinds).problems.first == [])
      let outcome = try await salvage(path, to: output)
      #expect(outcome.notes == [])
      #expect(try await records(of: output) == records(of: path))
      #expect(try await LogVerification.of(path: output, consumers: kinds).problems.first == [])
    }
  }

  @Test func `a consumer that another build had keeps what its batches must hold`() async throws {
    try await withFullLog { path, output in
      try alter(
        path,
        """
        UPDATE consumers SET name = 'kafka-2' WHERE name = 's3';
        UPDATE batches SET consumer = 'kafka-2' WHERE consumer = 's3';
        DELETE FROM batches WHERE first_offset = 101;
        """)
      #expect(
        try await LogVerification.of(path: path, consumers: kinds).problems.first.map(\.text)
          == ["kafka-2 has passed offsets 101 to 150, which are in none of its batches"])
      _ = try await salvage(path, to: output)
      #expect(try await LogVerification.of(path: output, consumers: kinds).problems.first == [])
    }
  }

  @Test func `what is no log is refused`() async throws {
    try await withTemporaryFolder { folder in
      for (name, content) in [("empty", ""), ("text", String(repeating: "ticks\n", count: 3_000))] {
        try write(Array(content.utf8), to: folder + "/" + name)
        let error = try await logError {
          _ = try await salvage(folder + "/" + name, to: folder + "/saved.db")
        }
        #expect(error.code == .notALog)
        #expect(!FileManager.default.fileExists(atPath: folder + "/saved.db"))
      }
      let other = try SQLiteConnection(path: folder + "/other.db", access: .create)
      try other.execute("CREATE TABLE t(x); INSERT INTO t VALUES (1)")
      try other.close()
      let error = try await logError { _ = try await salvage(folder + "/other.db", to: folder + "/saved.db") }
      #expect(error.code == .notALog)
    }
  }
}
