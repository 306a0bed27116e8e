import Foundation
import Inspect
import LogFixtures
import TestSupport
import Testing

@testable import WAL

/// The `-wal` beside a log that a process has left: what of it counts, and whether it belongs there.
@Suite struct WALFileTests {
  private static let frame = 4_096 + 24

  /// Files as a killed process leaves them, with so many commits of ten ticks in SQLite's WAL; and the length of
  /// the WAL after each.
  private func leave(
    _ folder: String, commits: Int, _ body: (_ path: String, _ ends: [Int]) async throws -> Void
  )
    async throws
  {
    let path = folder + "/ticks.db"
    let log = try await TickLog.open(path: path, options: .make(), logger: silent)
    let copy = folder + "/copy.db"
    var ends: [Int] = []
    for number in 0..<commits {
      try await log.append(ticks(10, from: number * 10 + 1))
      try copyFiles(of: path, to: copy)
      ends.append(try bytes(of: copy + "-wal").count)
    }
    try await log.close()
    try await body(copy, ends)
  }

  private func open(_ path: String) async throws -> Offset {
    let log = try await TickLog.open(path: path, options: .make(), logger: silent)
    let head = log.head
    try await log.close()
    return head
  }

  @Test func `damage that would cost confirmed commits is refused and salvaged`() async throws {
    var random = SplitMix64.forTest()
    try await withTemporaryFolder { folder in
      try await leave(folder, commits: 12) { path, ends in
        let wal = try bytes(of: path + "-wal")
        let base = try bytes(of: path)
        var refusals = 0
        for round in 0..<60 {
          var damaged = wal
          let place = Int.random(in: 0..<wal.count, using: &random)
          damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
          let copy = folder + "/round\(round).db"
          try write(base, to: copy)
          try write(damaged, to: copy + "-wal")
          let saved = folder + "/saved\(round).db"
          let outcome = try await salvage(copy, to: saved)
          let read = try await contents(of: saved)
          let expected = lines(ticks(120))
          for (offset, line) in read.ticks { #expect(line == expected[Int(offset) - 1]) }
          // The last transaction may as well be one that a crash has left unfinished.
          let isInLast = place >= ends[ends.count - 2]
          // Without what says that it ends a transaction, this frame and the last transaction look like one.
          let isEndOfLastButOne = (ends[ends.count - 2] - Self.frame..<ends[ends.count - 2]).prefix(24)
            .contains(place)
          // One page holds some eighty of these ticks.
          #expect(outcome.ticks >= (isInLast ? 110 : 120) - 90, "bit in byte \(place)")
          #expect(try await LogVerification.of(path: saved, consumers: kinds).problems.first == [])
          do {
            let head = try await open(copy)
            #expect(
              head == Offset(rawValue: 120) || isInLast && head == Offset(rawValue: 110)
                || isEndOfLastButOne && head == Offset(rawValue: 100), "byte \(place)")
          } catch let error as LogError {
            refusals += 1
            #expect(error.code == .notALog)
            #expect(error.description.contains("\(copy)-wal is damaged"))
            #expect(error.description.contains("verify --salvage"))
            #expect(try bytes(of: copy + "-wal") == damaged)
            #expect(try await !LogVerification.of(path: copy, consumers: kinds).problems.isEmpty)
          }
        }
        #expect(refusals > 30)
      }
    }
  }

  @Test func `an unfinished transaction is no damage`() async throws {
    try await withTemporaryFolder { folder in
      try await leave(folder, commits: 4) { path, ends in
        var wal = try bytes(of: path + "-wal")
        // Its frames reached the disk in another order than they were written.
        for index in ends[2]..<ends[2] + Self.frame { wal[index] = 0 }
        try write(wal, to: path + "-wal")
        #expect(try await open(path) == Offset(rawValue: 30))
      }
    }
  }

  /// Of a large one nearly nothing may be there but its end, which says how long the file was to become.
  @Test func `a large unfinished transaction is no damage either`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(1))
      let confirmed = try bytes(of: path + "-wal").count
      try await log.append(ticks(150, from: 2, padding: 1_000))
      let copy = folder + "/copy.db"
      try copyFiles(of: path, to: copy)
      try await log.close()
      var wal = try bytes(of: copy + "-wal")
      #expect((45..<64).contains((wal.count - confirmed) / Self.frame))
      for frame in stride(from: confirmed, to: wal.count - Self.frame, by: Self.frame) {
        for index in frame + 24..<frame + Self.frame { wal[index] = 0 }
      }
      try write(wal, to: copy + "-wal")
      #expect(try await open(copy) == Offset(rawValue: 1))
    }
  }

  @Test func `the WAL of another log is refused`() async throws {
    try await withTemporaryFolder { folder in
      try await leave(folder, commits: 3) { path, _ in
        let other = folder + "/other.db"
        try await makeOther(other)
        let base = try bytes(of: other)
        try FileManager.default.copyItem(atPath: path + "-wal", toPath: other + "-wal")
        let error = try await logError { _ = try await open(other) }
        #expect(error.code == .notALog)
        #expect(error.description.contains("\(other)-wal belongs to another log"))
        #expect(try bytes(of: other) == base)
        #expect(
          try await LogVerification.of(path: other, consumers: kinds).problems.first.contains {
            $0.text.contains("another log")
          })
        // Its own ticks and nothing of the other's.
        let outcome = try await salvage(other, to: folder + "/saved.db")
        #expect(outcome.ticks == 2)
        let read = try await contents(of: folder + "/saved.db")
        #expect((1...2).map { read.ticks[$0] } == lines(ticks(2, from: 501)))
      }
    }
  }

  private func makeOther(_ path: String) async throws {
    let log = try await TickLog.open(path: path, options: .make(), logger: silent)
    try await log.append(ticks(2, from: 501))
    try await log.close()
  }

  @Test func `an older WAL of the same log is refused`() async throws {
    try await withTemporaryFolder { folder in
      try await leave(folder, commits: 3) { path, _ in
        let path2 = folder + "/ticks.db"
        let log = try await TickLog.open(path: path2, options: .make(), logger: silent)
        try await log.append(ticks(5, from: 31))
        try await log.close()
        try FileManager.default.copyItem(atPath: path + "-wal", toPath: path2 + "-wal")
        let error = try await logError { _ = try await open(path2) }
        #expect(error.code == .notALog)
        #expect(error.description.contains("\(path2)-wal is older"))
        let outcome = try await salvage(path2, to: folder + "/saved.db")
        #expect(outcome.ticks == 35)
        #expect(outcome.lost == 0)
      }
    }
  }

  @Test func `a WAL that was copied into the file already is fine`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(10))
      try await log.write { _ = try $0.connection.text("SELECT 1") }
      _ = try await log.adopt()
      try copyFiles(of: path, to: folder + "/copy.db")
      try await log.close()
      #expect(try await open(folder + "/copy.db") == Offset(rawValue: 10))
    }
  }
}
