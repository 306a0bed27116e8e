import Glibc
import LogFixtures
import TestSupport
import Testing

@testable import WAL

/// A log that runs for weeks keeps its size.
@Suite struct SizeTests {
  private func size(_ path: String) -> Int {
    var info = stat()
    return stat(path, &info) == 0 ? Int(info.st_size) : 0
  }

  /// Twelve times what the log keeps goes through it, with a reader that pages behind.
  @Test func `what is trimmed makes room for what comes`() async throws {
    try await withTrimmedLog([dynamo]) { log, machine, path in
      let reader = try await log.makeReader()
      var number = 1
      var largest = (file: 0, wal: 0)
      var afterFirst = 0
      for round in 0..<24 {
        // Twelve rounds to the hour that is kept: 12 × 2 MB.
        for _ in 0..<4 {
          try await log.append(ticks(1_000, from: number, padding: 450))
          let page = try await reader.page(from: Offset(rawValue: Int64(number)), maximumTicks: 1_000)
          #expect(page.ticks.count == 1_000)
          number += 1_000
          try await log.commit(dynamo, next: Int64(number))
        }
        machine.pass(anHour / 12)
        try await log.upkeepDone()
        largest = (max(largest.file, size(path)), max(largest.wal, size(path + "-wal")))
        if round == 12 { afterFirst = size(path) }
      }
      #expect(log.head.rawValue == 96_000)
      let read = try #require(try await reader.oldest())
      // The hour that is kept, and as much as is noted at a time.
      #expect((48_000...56_000).contains(read.distance(to: log.head) + 1))
      #expect(largest.file < 34 << 20)
      #expect(largest.file - afterFirst < 4 << 20)
      #expect(largest.wal < 20 << 20)
      #expect(try await Remains(log).ticks == "\(read)-96000")
      #expect(try await reader.text("PRAGMA quick_check") == "ok")
      try await reader.close()
    }
  }

  @Test func `an empty log is small again`() async throws {
    try await withTrimmedLog([]) { log, machine, path in
      for number in 0..<30 {
        try await log.append(ticks(1_000, from: number * 1_000 + 1, padding: 450))
      }
      try await log.note(machine)
      #expect(size(path) > 0)
      let full = size(path) + size(path + "-wal")
      #expect(full > 15 << 20)
      machine.pass(anHour)
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: ""))
      #expect(size(path) < 1_500_000)
      #expect(size(path + "-wal") < 20 << 20)
      let reader = try await log.makeReader()
      #expect(try await reader.text("PRAGMA quick_check") == "ok")
      try await reader.close()
    }
  }

  /// An operator's shell that holds a transaction does not stop trimming; the file shrinks after it.
  @Test func `a reader in a long transaction delays what is given back`() async throws {
    try await withTrimmedLog([]) { log, machine, path in
      for number in 0..<20 {
        try await log.append(ticks(1_000, from: number * 1_000 + 1, padding: 450))
      }
      let shell = try SQLiteConnection(path: path, access: .readOnly)
      try shell.setCheckpointOnClose(false)
      try shell.execute("BEGIN")
      #expect(try shell.int("SELECT count(*) FROM ticks") == 20_000)
      try await log.grow(old: machine)
      #expect(try shell.int("SELECT count(*) FROM ticks") == 20_000)
      #expect(try shell.int("SELECT count(*) FROM ticks WHERE payload LIKE '{\"n\":%'") == 20_000)
      #expect(try await Remains(log) == Remains(ticks: ""))
      try shell.execute("COMMIT")
      try shell.close()
      try await log.append(ticks(1))
      try await log.grow(old: machine)
      #expect(size(path) < 1_500_000)
    }
  }

  /// Whatever trimming was doing when the process died.
  @Test func `a kill anywhere in trimming loses nothing`() async throws {
    try await withTrimmedLog([s3]) { log, machine, path in
      try await log.append(ticks(20_000))
      try await log.plan(s3, 1...9_000, 9_001...9_500, 9_501...15_000, shipped: true)
      try await log.commit(s3, next: 15_001)
      try await log.note(machine)
      machine.pass(anHour)
      let isDone = Shared(false)
      let copies = try await withThrowingTaskGroup(of: Int.self) { group in
        group.addTask {
          try await log.upkeepDone()
          isDone.withLock { $0 = true }
          return 0
        }
        group.addTask {
          var copies = 0
          // Once at least: where the other task has all the cores, the upkeep may be over by then.
          repeat {
            // SQLite's own copy: of one moment, and through the same files.
            let shell = try SQLiteConnection(path: path, access: .readOnly)
            try shell.setCheckpointOnClose(false)
            shell.setBusyTimeout(milliseconds: 5_000)
            try shell.execute("VACUUM INTO '\(path).\(copies)'")
            try shell.close()
            copies += 1
          } while !isDone.current && copies < 30
          return copies
        }
        return try await group.reduce(0, +)
      }
      #expect(try await Remains(log) == Remains(ticks: "15001-20000"))
      #expect(copies > 0)
      for number in 0..<copies {
        let copy = try SQLiteConnection(path: "\(path).\(number)", access: .readWrite)
        let trimmed = try copy.trimmed().rawValue
        #expect([0, 9_000, 9_500, 15_000].contains(trimmed))
        #expect(
          try copy.int("SELECT count(*) FROM ticks WHERE offset > \(trimmed)") == 20_000 - trimmed)
        #expect(
          try copy.int("SELECT count(*) FROM batches WHERE first_offset <= \(trimmed)") == 0)
        try copy.close()
      }
    }
  }
}
