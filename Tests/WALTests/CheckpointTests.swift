import Base
import CTestVFS
import Foundation
import Glibc
import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct CheckpointTests {
  private func walBytes(_ path: String) -> Int {
    var info = stat()
    return stat(path + "-wal", &info) == 0 ? Int(info.st_size) : 0
  }

  /// How often SQLite's WAL has started over: the counter in its header.
  ///
  /// Reference: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
  private func walSequence(_ path: String) throws -> UInt32 {
    let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path + "-wal"))
    let header = [UInt8](try handle.read(upToCount: 32) ?? Data())
    try handle.close()
    guard header.count == 32 else { return 0 }
    return header[12..<16].reduce(0) { $0 << 8 | UInt32($1) }
  }

  @Test func `the WAL stays bounded while readers page`() async throws {
    try await withLog { log, path in
      let isDone = Shared(false)
      let largest = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<2 {
          group.addTask {
            let reader = try await log.makeReader()
            var next = Offset.first
            var read = 0
            while !isDone.current || next <= log.head {
              let page = try await reader.page(from: next, maximumTicks: 500)
              #expect(page.bad.isEmpty)
              read += page.ticks.count
              next = page.range?.upperBound.next ?? next
            }
            try await reader.close()
            #expect(read == 60_000)
            return 0
          }
        }
        group.addTask {
          var largest = 0
          for number in 0..<120 {
            try await log.append(ticks(500, from: number * 500 + 1, padding: 1_000))
            largest = max(largest, walBytes(path))
          }
          isDone.withLock { $0 = true }
          return largest
        }
        return try await group.reduce(0, max)
      }
      #expect(largest > 16 << 20)
      #expect(largest < 48 << 20)
    }
  }

  @Test func `a reader in a long transaction lets the WAL grow and it starts over afterwards`() async throws {
    let logs = RecordedLogs()
    try await withLog(logger: logs.logger) { log, path in
      try await log.append(ticks(1))
      let shell = try SQLiteConnection(path: path, access: .readOnly)
      try shell.setCheckpointOnClose(false)
      try shell.execute("BEGIN")
      #expect(try shell.int("SELECT count(*) FROM ticks") == 1)
      var number = 2
      while walBytes(path) < 84 << 20 {
        try await log.append(ticks(1_000, from: number, padding: 3_000))
        number += 1_000
      }
      #expect(try shell.int("SELECT count(*) FROM ticks") == 1)
      #expect(logs.messages(.warning).count == 1)
      #expect(logs.messages(.warning).first?.contains("reader") == true)
      #expect(logs.messages(.error) == [])
      let sequence = try walSequence(path)
      try shell.execute("COMMIT")
      try shell.close()
      let reader = try await log.makeReader()
      for _ in 0..<4 {
        try await log.append(ticks(1_000, from: number, padding: 3_000))
        number += 1_000
      }
      #expect(try walSequence(path) > sequence)
      #expect(logs.messages(.notice).contains { $0.contains("starts over again") })
      #expect(walBytes(path) <= 64 << 20)
      #expect(try await reader.head().rawValue == Int64(number - 1))
      try await reader.close()
      try await log.close()
      #expect(walBytes(path) == 0)
      #expect(try await contents(of: path).ticks.count == number - 1)
    }
  }

  @Test func `closing with a reader in a transaction loses nothing`() async throws {
    try await withLog { log, path in
      try await log.append(ticks(10))
      let shell = try SQLiteConnection(path: path, access: .readOnly)
      try shell.setCheckpointOnClose(false)
      try shell.execute("BEGIN")
      #expect(try shell.int("SELECT count(*) FROM ticks") == 10)
      try await log.append(ticks(10, from: 11))
      try await log.close()
      #expect(try shell.int("SELECT count(*) FROM ticks") == 10)
      try shell.execute("COMMIT")
      try shell.close()
      let again = try await TickLog.open(path: path, options: .make(), logger: silent)
      #expect(again.head == Offset(rawValue: 20))
      try await again.close()
      #expect(try await contents(of: path).ticks.count == 20)
    }
  }

  @Test func `a shell that holds the write lock is waited for`() async throws {
    let logs = RecordedLogs()
    try await withLog(logger: logs.logger) { log, path in
      try await log.append(ticks(1))
      let shell = try SQLiteConnection(path: path, access: .readWrite)
      try shell.setCheckpointOnClose(false)
      try shell.execute("BEGIN IMMEDIATE")
      async let appended = log.append(ticks(1, from: 2))
      #expect(try await eventually { logs.messages(.error).contains { $0.contains("lock") } })
      #expect(log.head == .first)
      #expect(!log.isDiskFull)
      try shell.execute("ROLLBACK")
      #expect(try await appended == offsets(2...2))
      try shell.close()
    }
  }

  /// Another process, because this one's locks would end with the look that a start takes at the file.
  @Test func `a start waits for a program that holds a lock`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(3))
      try await log.close()
      #expect(mkfifo(folder + "/release", 0o600) == 0)
      let ended = Latch<Bool>()
      _ = try DedicatedThread {
        let shell = try? runProgram(
          "sqlite3",
          [
            path, "PRAGMA locking_mode = EXCLUSIVE", "BEGIN IMMEDIATE", "DELETE FROM skipped", "COMMIT",
            ".shell touch \(folder)/locked; cat \(folder)/release",
          ])
        ended.set(shell?.status == 0)
      }
      #expect(try await eventually { access(folder + "/locked", F_OK) == 0 })
      async let opened = TickLog.open(path: path, options: .make(), logger: silent)
      // From then on it is about to open the file, well before the shell has ended.
      #expect(try await eventually { LogLock.holder(of: path) != nil })
      let release = open(folder + "/release", O_WRONLY)
      close(release)
      let again = try await opened
      #expect(again.head == Offset(rawValue: 3))
      try await again.close()
      #expect(try await ended.wait())
    }
  }
}
