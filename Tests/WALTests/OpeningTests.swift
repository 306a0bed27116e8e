import Foundation
import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct OpeningTests {
  private func open(_ path: String, vfs: String? = nil) async throws {
    try await TickLog.open(path: path, options: .make(vfs: vfs), logger: silent).close()
  }

  /// Opening fails with one line that names the path, and leaves the file as it was.
  private func refusal(_ path: String) async throws -> LogError.Code {
    let isFile = isRegularFile(path)
    let before = isFile ? try Data(contentsOf: URL(fileURLWithPath: path)) : nil
    let error = try await logError { try await open(path) }
    #expect(error.description.contains(path))
    #expect(!error.description.contains("\n"))
    if isFile { #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before) }
    return error.code
  }

  private func isRegularFile(_ path: String) -> Bool {
    var info = stat()
    return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
  }

  @Test func `what is no log is refused and not touched`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      try Data().write(to: URL(fileURLWithPath: path))
      #expect(try await refusal(path) == .notALog)
      try Data("short".utf8).write(to: URL(fileURLWithPath: path))
      #expect(try await refusal(path) == .notALog)
      try Data(String(repeating: "ticks\n", count: 1_000).utf8).write(to: URL(fileURLWithPath: path))
      #expect(try await refusal(path) == .notALog)
      let other = try SQLiteConnection(path: folder + "/other.db", access: .create)
      try other.execute("CREATE TABLE ticks(offset INTEGER PRIMARY KEY)")
      try other.close()
      #expect(try await refusal(folder + "/other.db") == .notALog)
    }
  }

  @Test func `a newer schema is refused naming both versions`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      try await open(path)
      try alter(path, "PRAGMA user_version = 3")
      #expect(try await refusal(path) == .newerSchema)
      let error = try await logError { try await open(path) }
      #expect(error.description.contains("schema 3, this one knows 2"))
    }
  }

  @Test func `a newer schema that is only in the WAL is refused`() async throws {
    try await withTemporaryFolder { folder in
      try await open(folder + "/ticks.db")
      let newer = try SQLiteConnection(path: folder + "/ticks.db", access: .readWrite)
      try newer.execute("PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 3")
      try copyFiles(of: folder + "/ticks.db", to: folder + "/copy.db")
      try newer.close()
      #expect(try await refusal(folder + "/copy.db") == .newerSchema)
    }
  }

  @Test func `unusable paths are refused`() async throws {
    try await withTemporaryFolder { folder in
      #expect(try await refusal(folder) == .unusablePath)
      #expect(try await refusal(folder + "/missing/ticks.db") == .unusablePath)
      try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/file"))
      #expect(try await refusal(folder + "/file/ticks.db") == .unusablePath)
      // Nobody may make files there, root neither.
      #expect(try await refusal("/proc/ticks.db") == .unusablePath)
      #expect(try await refusal("/dev/null") == .unusablePath)
      #expect(mkfifo(folder + "/fifo", 0o600) == 0)
      #expect(try await refusal(folder + "/fifo") == .unusablePath)
    }
  }

  @Test func `a WAL without its log is not thrown away`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(3))
      try copyFiles(of: path, to: folder + "/copy.db")
      try await log.close()
      try FileManager.default.moveItem(atPath: folder + "/copy.db", toPath: folder + "/away.db")
      #expect(try await refusal(folder + "/copy.db") == .notALog)
      try FileManager.default.moveItem(atPath: folder + "/away.db", toPath: folder + "/copy.db")
      #expect(try await contents(of: folder + "/copy.db").ticks.count == 3)
    }
  }

  @Test func `what an interrupted start left is harmless`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      for suffix in ["", "-wal", "-shm", "-journal"] {
        try Data(repeating: 7, count: 5_000).write(to: URL(fileURLWithPath: path + ".new" + suffix))
      }
      try Data().write(to: URL(fileURLWithPath: path + "-wal"))
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(3))
      try await log.close()
      #expect(try await contents(of: path).ticks.count == 3)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted().filter { $0.contains(".new") }
          == [])
    }
  }

  @Test func `the WAL is written again before SQLite opens the log`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(2_000, padding: 1_000))
      let copy = folder + "/copy.db"
      try copyFiles(of: path, to: copy)
      try await log.close()
      let wal = URL(fileURLWithPath: copy + "-wal")
      let bytes = try Data(contentsOf: wal)
      #expect(bytes.count > 2 << 20)
      var before = stat()
      #expect(stat(wal.path, &before) == 0)
      var past = [timespec(tv_sec: 1_000, tv_nsec: 0), timespec(tv_sec: 1_000, tv_nsec: 0)]
      #expect(utimensat(AT_FDCWD, wal.path, &past, 0) == 0)
      // SQLite does not even find its VFS.
      let error = try await logError { try await open(copy, vfs: "there is no such VFS") }
      #expect(error.code == .failed)
      var after = stat()
      #expect(stat(wal.path, &after) == 0)
      #expect(after.st_mtim.tv_sec > 1_000)
      #expect(after.st_ino == before.st_ino)
      #expect(try Data(contentsOf: wal) == bytes)
      let read = try await contents(of: copy)
      #expect((1...2_000).map { read.ticks[$0] } == lines(ticks(2_000, padding: 1_000)))
      try await open(copy)
      #expect(try await contents(of: copy).ticks.count == 2_000)
    }
  }

  @Test func `a WAL that cannot be written again stops the start`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      try await open(path)
      try FileManager.default.createDirectory(atPath: path + "-wal", withIntermediateDirectories: false)
      let error = try await logError { try await open(path) }
      #expect(error.code == .unusablePath)
      #expect(error.description.contains(path + "-wal"))
    }
  }

  @Test func `a torn end of the WAL costs only what was not confirmed`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(50))
      try copyFiles(of: path, to: folder + "/short.db")
      let confirmed = try Data(contentsOf: URL(fileURLWithPath: folder + "/short.db-wal")).count
      try await log.append(ticks(50, from: 51))
      try copyFiles(of: path, to: folder + "/long.db")
      try await log.close()
      let whole = try Data(contentsOf: URL(fileURLWithPath: folder + "/long.db-wal"))
      for length in stride(from: confirmed, to: whole.count, by: 511) {
        try whole.prefix(length).write(to: URL(fileURLWithPath: folder + "/torn.db-wal"))
        try FileManager.default.copyItem(atPath: folder + "/long.db", toPath: folder + "/torn.db")
        let torn = try await TickLog.open(path: folder + "/torn.db", options: .make(), logger: silent)
        #expect(torn.head == Offset(rawValue: 50))
        #expect(try await torn.append(ticks(1, from: 51)) == offsets(51...51))
        try await torn.close()
        let read = try await contents(of: folder + "/torn.db")
        #expect((1...51).map { read.ticks[$0] } == lines(ticks(51)))
        for suffix in ["", ".lock"] {
          try FileManager.default.removeItem(atPath: folder + "/torn.db" + suffix)
        }
      }
    }
  }

  @Test(arguments: [
    ("DELETE FROM meta WHERE key = 'head'", "has no head"),
    ("INSERT INTO ticks VALUES (4, 0, 0, '', '', 0)", "has offset 4 beyond its head 3"),
    ("PRAGMA auto_vacuum = 0; PRAGMA journal_mode = DELETE; VACUUM", "auto_vacuum reads 0, not 2"),
  ])
  func `a log that contradicts itself is not opened`(_ sql: String, _ message: String) async throws {
    try await withLog { log, path in
      try await log.append(ticks(3))
      try await log.close()
      try alter(path, sql)
      let error = try await logError { try await open(path) }
      #expect(error.description.contains(message))
    }
  }

  @Test func `the writer's settings are what the promises need`() async throws {
    try await withLog { log, _ in
      func setting(_ name: String) async throws -> String? {
        try await log.write { try $0.connection.text("PRAGMA \(name)") }
      }
      #expect(try await setting("synchronous") == "2")
      #expect(try await setting("journal_mode") == "wal")
      #expect(try await setting("wal_autocheckpoint") == "0")
      #expect(try await setting("mmap_size") == "0")
      #expect(try await setting("auto_vacuum") == "2")
      let limit = try await setting("journal_size_limit")
      #expect(limit == "67108864")
    }
  }
}
