import Foundation
import Inspect
import LogFixtures
import TestSupport
import Testing

@testable import WAL

/// Logs that an earlier version has left, brought to the present schema.
@Suite struct MigrationTests {
  /// All that a log says, but for how its tables are made.
  private struct Rows: Equatable {
    var ticks: [Int64: String]
    var bad: [Int64]
    var head: Offset
    /// Those of all other tables.
    var records: [String]
    /// The highest ids that were ever given.
    var sequences: String?

    init(of path: String) async throws {
      (ticks, bad, head) = try await LogFixtures.contents(of: path)
      records = try await LogFixtures.records(of: path)
      sequences = try text(
        path, "SELECT group_concat(name || seq) FROM (SELECT * FROM sqlite_sequence ORDER BY name)")
    }
  }

  private static func text(_ path: String, _ sql: String) throws -> String? {
    let connection = try SQLiteConnection(path: path, access: .readOnly)
    let text = try connection.text(sql)
    try connection.close()
    return text
  }

  private static func version(_ path: String) throws -> Int32? {
    try text(path, "PRAGMA user_version").flatMap { Int32($0) }
  }

  private func open(_ path: String, logger: RecordedLogs = RecordedLogs()) async throws {
    try await TickLog.open(path: path, options: .make(), logger: logger.logger).close()
  }

  private func withOldLog(
    _ old: Recordings.OldLog, _ body: (_ path: String, _ rows: Rows) async throws -> Void
  ) async throws {
    try await withTemporaryFolder { folder in
      // What reads a log may copy its -wal into it at the end: this one is for reading.
      try old.copy(to: folder + "/read.db")
      let rows = try await Rows(of: folder + "/read.db")
      try old.copy(to: folder + "/ticks.db")
      try await body(folder + "/ticks.db", rows)
    }
  }

  /// The tables, indices and views with their texts, and the pages where they begin.
  private func schema(_ path: String) throws -> [String] {
    let connection = try SQLiteConnection(path: path, access: .readOnly)
    let rows = try connection.fetchAll(
      "SELECT name || ' ' || rootpage || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name"
    ) { $0.text(0) }
    try connection.close()
    return rows
  }

  @Test func `there is one step from each version to the next`() {
    #expect(Migration.all.map(\.from) == Array(1..<Schema.version))
  }

  @Test(arguments: Recordings.OldLog.allCases)
  func `an older log is brought up with all of its rows`(_ old: Recordings.OldLog) async throws {
    try await withOldLog(old) { path, rows in
      #expect(try Self.version(path) == 1)
      #expect(rows.head.rawValue > 0 && rows.bad == [])
      let logs = RecordedLogs()
      try await open(path, logger: logs)
      #expect(logs.messages(.notice).contains { $0.contains("has been brought up") })
      #expect(try Self.version(path) == Schema.version)
      #expect(try await Rows(of: path) == rows)
      #expect(try await LogVerification.of(path: path, consumers: kinds).problems.first == [])
      let new = path + ".new-one"
      try await open(new)
      #expect(try schema(path) == schema(new))
      logs.removeAll()
      try await open(path, logger: logs)
      #expect(logs.entries.isEmpty)
    }
  }

  @Test func `ids go on where they were, though the newest rows are gone`() async throws {
    try await withOldLog(.closed) { path, _ in
      #expect(try Self.text(path, "SELECT max(id) FROM gaps") == "19")
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      let gap = try await log.write { transaction in
        try transaction.openGap(
          startedAt: someTime, cause: .unsubscribed, streams: ["a@trade"], detail: "{\"code\":2}")
      }
      #expect(gap.rawValue == 22)
      let reader = try await log.makeReader()
      let gaps = try await reader.gaps(from: Gap.ID(rawValue: 19), atMost: 9)
      #expect(gaps.map(\.detail) == [nil, "{\"code\":2}"])
      try await reader.close()
      try await log.close()
    }
  }

  @Test func `gaps that are all gone still count`() async throws {
    try await withOldLog(.closed) { path, _ in
      try alter(path, "DELETE FROM gaps")
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      let id = try await log.write { try $0.openGap(startedAt: 1, cause: .closed, streams: []) }
      #expect(id.rawValue == 22)
      try await log.close()
    }
  }

  @Test func `who only reads leaves it as it is`() async throws {
    try await withOldLog(.closed) { path, _ in
      let before = try bytes(of: path)
      let reader = try await LogReader(path: path)
      let status = try await reader.status()
      #expect(status.openGaps.map(\.id.rawValue) == Array(8...14))
      #expect(status.openGaps.allSatisfy { $0.detail == nil })
      #expect(try await reader.gaps(from: Gap.ID(rawValue: 1), atMost: 99).count == 17)
      #expect(try await reader.text("SELECT count(*) FROM recent_gaps") == "17")
      #expect(try bytes(of: path) == before)
      // Somebody who writes comes meanwhile.
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      _ = try await log.write {
        try $0.openGap(startedAt: 1, cause: .frozen, streams: [], detail: "[1]")
      }
      #expect(try await reader.openGaps().last?.detail == "[1]")
      try await reader.close()
      try await log.close()
    }
  }

  @Test func `a damaged row goes along and is found`() async throws {
    try await withOldLog(.closed) { path, rows in
      try alter(path, "PRAGMA ignore_check_constraints = ON; UPDATE gaps SET cause = 'clised' WHERE id = 5")
      let damaged = try await Rows(of: path)
      #expect(damaged != rows)
      try await open(path)
      #expect(try await Rows(of: path) == damaged)
      let problems = try await LogVerification.of(path: path, consumers: kinds).problems
      #expect(problems.first.map(\.text) == ["gap 5 has a column that cannot be"])
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      await #expect(throws: LogError.self) {
        _ = try await log.write {
          try $0.openGap(startedAt: 1, cause: Gap.Cause(rawValue: "clised"), streams: [])
        }
      }
      try await log.close()
    }
  }

  @Test(arguments: ["PRAGMA user_version = 0", "PRAGMA user_version = -1", "DROP TABLE gaps"])
  func `a log that was never one is refused and not touched`(_ sql: String) async throws {
    try await withOldLog(.closed) { path, _ in
      try alter(path, sql)
      let before = try bytes(of: path)
      let error = try await logError { try await open(path) }
      #expect(error.code == .notALog)
      #expect(error.description.contains("--salvage"))
      #expect(try bytes(of: path) == before)
    }
  }

  // MARK: Interrupted

  /// What was left opens again, as the old version or as the new one, with every row.
  private func check(_ files: [String: [UInt8]], _ rows: Rows, _ label: String) async throws {
    try await withTemporaryFolder { folder in
      for (name, bytes) in files { try write(bytes, to: folder + "/" + name) }
      let path = folder + "/" + logName
      let context: Comment = "\(label)"
      do {
        try await open(path)
      } catch {
        Issue.record(error, context)
        return
      }
      #expect(try Self.version(path) == Schema.version, context)
      let isSame = try await Rows(of: path) == rows
      #expect(isSame, context)
      let problems = try await LogVerification.of(path: path, consumers: kinds).problems
      #expect(problems.first.map(\.text) == [], context)
    }
  }

  private func onDisk(_ old: Recordings.OldLog) throws -> [String: DiskModel.LeftFile] {
    Dictionary(
      uniqueKeysWithValues: try old.files().map { suffix, bytes in
        (logName + suffix, DiskModel.LeftFile(durable: [UInt8](bytes)))
      })
  }

  @Test(arguments: Recordings.OldLog.allCases)
  func `a loss of power at any moment costs nothing`(_ old: Recordings.OldLog) async throws {
    try await withOldLog(old) { _, rows in
      let crashes = Shared<[[String: [UInt8]]]>([])
      try await withSimulatedDisk(files: try onDisk(old)) { disk in
        let random = Shared(SplitMix64.forTest())
        disk.watch(before: { [unowned disk] call in
          guard call.isChange else { return .proceed }
          let left = random.withLock { random in
            [DiskModel.Loss.all, .some, .torn, .none].map { disk.contents(after: $0, using: &random) }
          }
          crashes.withLock { crashes in
            for files in left where !crashes.suffix(8).contains(files) { crashes.append(files) }
          }
          return .proceed
        })
        try await open(disk.folder + "/" + logName)
      }
      let found = crashes.current
      #expect(found.count > 30)
      let versions = Shared<Set<Int32>>([])
      try await inParallel(found.indices) { index in
        try await withTemporaryFolder { folder in
          for (name, bytes) in found[index] { try write(bytes, to: folder + "/" + name) }
          if let version = try Self.version(folder + "/" + logName) {
            _ = versions.withLock { $0.insert(version) }
          }
        }
        try await check(found[index], rows, "crash \(index)")
      }
      #expect(versions.current == [1, Schema.version])
    }
  }

  @Test(arguments: Recordings.OldLog.allCases, [EIO, ENOSPC])
  func `a call that fails costs nothing, whichever it is`(_ old: Recordings.OldLog, _ error: Int32)
    async throws
  {
    try await withOldLog(old) { _, rows in
      var failed = 0
      for nth in 1... {
        let calls = Shared<(count: Int, failed: SimulatedDisk.Call?)>((0, nil))
        let left = try await withSimulatedDisk(files: try onDisk(old)) { disk in
          let path = disk.folder + "/" + logName
          disk.watch(before: { call in
            guard error == ENOSPC ? call.kind == .write : call.isChange else { return .proceed }
            return calls.withLock { calls in
              calls.count += 1
              guard calls.count == nth else { return .proceed }
              calls.failed = call
              return .fail(error)
            }
          })
          do {
            try await open(path)
          } catch let thrown as LogError {
            let isClear = [.failed, .diskFull, .unusablePath].contains(thrown.code)
            #expect(isClear, "call \(nth): \(thrown)")
            // Of the shared memory, SQLite says no more than that it cannot grow.
            let isOfMemory = calls.current.failed?.name.hasSuffix("-shm") ?? false
            if error == EIO, !isOfMemory { #expect(thrown.code != .diskFull, "call \(nth): \(thrown)") }
          }
          disk.watch()
          var random = SplitMix64.forTest()
          let lost = disk.contents(after: nth.isMultiple(of: 2) ? .torn : .all, using: &random)
          let kept = disk.leftFiles().mapValues(\.visible)
          return [lost, kept]
        }
        guard calls.current.failed != nil else { break }
        failed += 1
        for (index, files) in left.enumerated() {
          try await check(files, rows, "call \(nth), \(index == 0 ? "power lost" : "killed")")
        }
      }
      #expect(failed > 15)
    }
  }

  @Test func `the ballast makes room for it`() async throws {
    var files = try onDisk(.closed)
    files[logName + ".ballast"] = DiskModel.LeftFile(durable: [UInt8](repeating: 0, count: 1 << 16))
    try await withSimulatedDisk(files: files) { disk in
      let hasRoom = Shared(false)
      disk.watch(
        before: { call in
          call.kind == .write && call.name == logName + "-wal" && !hasRoom.current ? .fail(ENOSPC) : .proceed
        },
        after: { call in
          if call.kind == .unlink, call.name == logName + ".ballast" { hasRoom.withLock { $0 = true } }
        })
      try await open(disk.folder + "/" + logName)
      #expect(hasRoom.current)
      #expect(try Self.version(disk.folder + "/" + logName) == Schema.version)
    }
  }

  @Test func `without room it stays as it was until there is some`() async throws {
    try await withOldLog(.closed) { _, rows in
      try await withSimulatedDisk(files: try onDisk(.closed)) { disk in
        let path = disk.folder + "/" + logName
        disk.watch(before: { call in
          call.kind == .write && call.name == logName + "-wal" ? .fail(ENOSPC) : .proceed
        })
        let error = try await logError { try await open(path) }
        #expect(error.code == .diskFull)
        #expect(error.description.contains("from schema 1 to \(Schema.version)"))
        #expect(try Self.version(path) == 1)
        #expect(try await Rows(of: path) == rows)
        disk.watch()
        try await open(path)
        #expect(try Self.version(path) == Schema.version)
        #expect(try await Rows(of: path) == rows)
      }
    }
  }
}
