import Foundation
import Inspect
import LogFixtures
import TestSupport
import Testing

@testable import WAL

/// Files that were put in the place of others: what the lock file remembers of those.
@Suite struct HeadHintTests {
  private let note = HeadHint(
    logID: LogID(rawValue: "0123456789abcdef"), head: Offset(rawValue: 1_234), fileChangedAt: 7)

  @Test func `a line reads as it was written`() {
    #expect(note.line == "0123456789abcdef 1234 1234 open 7\n")
    #expect(HeadHint(line: "0123456789abcdef 1234 1234 open 7") == note)
    var closed = note
    closed.isClosed = true
    #expect(HeadHint(line: closed.line.dropLast()) == closed)
  }

  @Test(
    arguments: [
      ("0123456789abcdef", 1_233, 7, false, false, .missingWAL),
      ("0123456789abcdef", 1_233, 8, false, false, .olderCopy),
      ("0123456789abcdef", 1_233, 7, true, false, .olderCopy),
      ("0123456789abcdef", 1_233, 7, false, true, .olderCopy),
      ("0123456789abcdef", 1_234, 7, false, false, nil), ("0123456789abcdef", 1_235, 7, false, false, nil),
      ("fedcba9876543210", 1, 7, false, false, nil),
    ] as [(String, Int64, Int64, Bool, Bool, HeadHint.Objection?)])
  func `what a log that ends before it lacks`(
    _ id: String, _ head: Int64, _ changedAt: Int64, _ isClosed: Bool, _ hasWAL: Bool,
    _ objection: HeadHint.Objection?
  ) {
    var before = note
    before.isClosed = isClosed
    let found = HeadHint(
      logID: LogID(rawValue: id), head: Offset(rawValue: head), fileChangedAt: changedAt)
    #expect(before.objection(to: found, hasWAL: hasWAL) == objection)
  }

  /// Files as a killed process leaves them, the lock among them.
  private func withKilledLog(_ body: (_ path: String) async throws -> Void) async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(10))
      // Kept out of the way of the end of the process that "was killed".
      let copy = folder + "/copy.db"
      try copyFiles(of: path, to: copy)
      try write(bytes(of: path + ".lock"), to: copy + ".lock")
      var info = stat()
      #expect(stat(path, &info) == 0)
      try await log.close()
      #expect(utimensat(AT_FDCWD, copy, [info.st_mtim, info.st_mtim], 0) == 0)
      try await body(copy)
    }
  }

  @Test func `a missing WAL is refused and told by verify and then put back`() async throws {
    try await withKilledLog { path in
      try FileManager.default.moveItem(atPath: path + "-wal", toPath: path + ".away")
      for _ in 0..<2 {
        let error = try await logError {
          _ = try await TickLog.open(path: path, options: .make(), logger: silent)
        }
        #expect(error.code == .notALog)
        #expect(error.description.contains("ends at offset 0, but 10 was committed"))
      }
      let problems = try await LogVerification.of(path: path, consumers: kinds).problems.first.map(\.text)
      #expect(problems.contains { $0.contains("but 10 was committed") })
      try FileManager.default.removeItem(atPath: path + "-wal")
      try FileManager.default.moveItem(atPath: path + ".away", toPath: path + "-wal")
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      #expect(log.head == Offset(rawValue: 10))
      try await log.close()
      #expect(try await LogVerification.of(path: path, consumers: kinds).problems.count == 0)
    }
  }

  /// It gives offsets again; what was shipped of them is for the place's own note to notice.
  @Test func `an older copy in the place of the log is opened and said`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      var log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(10))
      try await log.close()
      let old = try bytes(of: path)
      log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(5, from: 11))
      try await log.close()
      try write(old, to: path)
      let logs = RecordedLogs()
      log = try await TickLog.open(path: path, options: .make(), logger: logs.logger)
      #expect(log.head == Offset(rawValue: 10))
      try await log.close()
      #expect(logs.messages(.warning).contains { $0.contains("an older copy of the one that was here") })
      #expect(try await LogVerification.of(path: path, consumers: kinds).problems.count == 0)
    }
  }

  @Test func `another log in its place is none`() async throws {
    try await withKilledLog { path in
      for suffix in ["", "-wal"] { try FileManager.default.removeItem(atPath: path + suffix) }
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      #expect(log.head == .zero)
      try await log.close()
    }
  }

  @Test func `a salvage gives no offset again that was committed`() async throws {
    try await withKilledLog { path in
      try FileManager.default.removeItem(atPath: path + "-wal")
      let saved = path + ".saved"
      let outcome = try await salvage(path, to: saved)
      #expect(outcome.head == Offset(rawValue: 10))
      #expect(outcome.lost == 10)
      try write(bytes(of: saved), to: path)
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      #expect(try await log.append(ticks(1)) == offsets(11...11))
      try await log.close()
    }
  }
}
