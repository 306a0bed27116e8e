import Base
import Glibc
import LogFixtures
import TestSupport
import Testing

@testable import WAL

/// A log that is read where nothing can be made beside it.
@Suite struct QuietReadingTests {
  private func reader(_ path: String) async throws -> LogReader {
    try await LogReader(path: path, hasNoRoom: { _ in true })
  }

  private func open(_ path: String) async throws -> TickLog {
    try await TickLog.open(path: path, options: .make(), logger: silent)
  }

  private func neighbours(_ path: String) -> [String] {
    ["-wal", "-shm"].filter { access(path + $0, F_OK) == 0 }
  }

  @Test func `a closed log is read, and nothing is made beside it`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      try await makeFullLog(path)
      let reader = try await reader(path)
      #expect(try await reader.head() == Offset(rawValue: 400))
      #expect(neighbours(path) == [])
      try await reader.close()
      #expect(neighbours(path) == [])
    }
  }

  @Test func `what only the WAL has is read, without shared memory`() async throws {
    try await withTemporaryFolder { folder in
      let (path, crashed) = (folder + "/ticks.db", folder + "/crashed.db")
      let log = try await open(path)
      try await log.append(ticks(100))
      for suffix in ["", "-wal"] { try copy(path + suffix, to: crashed + suffix) }
      let reader = try await reader(crashed)
      #expect(try await reader.head() == Offset(rawValue: 100))
      #expect(try await reader.page(from: .first, maximumTicks: 100).ticks.count == 100)
      try await reader.close()
      #expect(neighbours(crashed) == ["-wal"])
      try await log.close()
    }
  }

  @Test func `once a process has the log, it is read with shared memory, as ever`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      try await makeFullLog(path)
      let reader = try await reader(path)
      #expect(try await reader.head() == Offset(rawValue: 400))
      let log = try await open(path)
      try await log.append(ticks(5, from: 401))
      #expect(try await reader.head() == Offset(rawValue: 405))
      try await reader.close()
      try await log.close()
    }
  }

  @Test func `where nobody can tell who has the log, it is read with shared memory`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      #expect(!LogLock.mayBeHeld(path))
      try await makeFullLog(path)
      #expect(!LogLock.mayBeHeld(path) && QuietFiles(path) != nil)
      let lock = try LogLock(logPath: path)
      #expect(LogLock.mayBeHeld(path) && QuietFiles(path) == nil)
      lock.release()
      #expect(!LogLock.mayBeHeld(path))
      // Through a link another file would be looked at.
      #expect(rename(path + ".lock", folder + "/elsewhere") == 0)
      #expect(symlink(folder + "/elsewhere", path + ".lock") == 0)
      #expect(LogLock.mayBeHeld(path) && QuietFiles(path) == nil)
      let reader = try await reader(path)
      #expect(try await reader.head() == Offset(rawValue: 400))
      try await reader.close()
    }
  }

  @Test func `what was read while a process began to write is not given out`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      try await makeFullLog(path)
      let reader = try await reader(path)
      let error = try await logError {
        _ = try await reader.read { _ in
          // As a process that takes the lock in the midst of it.
          _ = Unmanaged.passRetained(try LogLock(logPath: path))
        }
      }
      #expect(error.code == .inUse(pid: getpid()))
      #expect(error.description.contains("give the command again"))
      try await reader.close()
    }
  }

  private func copy(_ from: String, to path: String) throws {
    let bytes = try FileDescriptor(opening: from, O_RDONLY, doing: "reading")
    let target = try FileDescriptor(opening: path, O_WRONLY | O_CREAT, doing: "writing")
    var buffer = [UInt8](repeating: 0, count: 1 << 22)
    let count = buffer.withUnsafeMutableBytes { read(bytes.number, $0.baseAddress, $0.count) }
    #expect(count > 0 && count < buffer.count && write(target.number, buffer, count) == count)
  }
}
