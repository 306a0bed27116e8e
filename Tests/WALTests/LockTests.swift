import Foundation
import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct LockTests {
  @Test func `a second open names the process that has the log`() async throws {
    try await withLog { log, path in
      let error = try await logError {
        _ = try await TickLog.open(path: path, options: .make(), logger: silent)
      }
      #expect(error.code == .inUse(pid: getpid()))
      #expect(error.description.contains("\(getpid())"))
      #expect(error.description.contains(path))
      // The log that is open has not been touched.
      #expect(try await log.append(ticks(1)) == offsets(1...1))
      #expect(LogLock.holder(of: path) == getpid())
      try await log.close()
      #expect(LogLock.holder(of: path) == nil)
      let again = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await again.close()
    }
  }

  @Test func `another process finds the lock taken`() async throws {
    try await withLog { log, path in
      #expect(try runProgram("flock", ["--nonblock", path + ".lock", "true"]).status == 1)
      try await log.close()
      #expect(try runProgram("flock", ["--nonblock", path + ".lock", "true"]).status == 0)
    }
  }

  @Test func `the lock of another process counts and its dead file does not`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      // Writes its pid, takes the lock and keeps it until its input ends.
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      process.arguments = ["-c", "echo $$ > \"$0.lock\"; exec flock \"$0.lock\" cat", path]
      let input = Pipe()
      process.standardInput = input
      try process.run()
      let pid = process.processIdentifier
      #expect(try await eventually { LogLock.holder(of: path) == pid })
      let error = try await logError {
        _ = try await TickLog.open(path: path, options: .make(), logger: silent)
      }
      #expect(error.code == .inUse(pid: pid))
      try input.fileHandleForWriting.close()
      process.waitUntilExit()
      // Its pid is still in the file, but nobody holds it.
      #expect(try String(contentsOfFile: path + ".lock", encoding: .utf8) == "\(pid)\n")
      #expect(LogLock.holder(of: path) == nil)
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      #expect(LogLock.holder(of: path) == getpid())
      try await log.close()
    }
  }

  @Test func `asking for the holder keeps nobody from opening`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      // As `holder` does it, caught in the act.
      let asker = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      #expect(flock(asker, LOCK_SH | LOCK_NB) == 0)
      var pauses = 0
      let lock = try LogLock(logPath: path) {
        pauses += 1
        if pauses == 3 {
          flock(asker, LOCK_UN)
          close(asker)
        }
      }
      #expect(pauses == 3)
      lock.release()
    }
  }

  /// A program that is started has all descriptors from `fork` to `exec`.
  @Test func `a lock that is given up is free whatever is being started`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let lock = try LogLock(logPath: path)
      let descriptor = try #require(try descriptors(of: path + ".lock").first)
      let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
      #expect(copy >= 0)
      defer { close(copy) }
      #expect(LogLock.holder(of: path) == getpid())
      lock.release()
      #expect(LogLock.holder(of: path) == nil)
      try LogLock(logPath: path, pause: { Issue.record("had to wait") }).release()
    }
  }

  private func descriptors(of path: String) throws -> [Int32] {
    let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    return (Int32(0)..<4_096).filter { descriptor in
      guard fcntl(descriptor, F_GETFD) >= 0 else { return false }
      var buffer = [CChar](repeating: 0, count: 4_096)
      guard readlink("/proc/self/fd/\(descriptor)", &buffer, 4_095) > 0 else { return false }
      return buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) } == file
    }
  }

  @Test func `a lock file that is removed is made anew with its note and its time`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let note = HeadHint(
        logID: LogID(rawValue: "0123456789abcdef"), head: Offset(rawValue: 7), fileChangedAt: 3)
      let lock = try LogLock(logPath: path)
      try lock.write(note)
      #expect(try lock.keep() == .kept)
      let before =
        try FileManager.default.attributesOfItem(atPath: path + ".lock")[.modificationDate] as? Date
      for _ in 1...2 {
        #expect(unlink(path + ".lock") == 0)
        #expect(LogLock.holder(of: path) == nil)
        #expect(try lock.keep() == .renewed)
        #expect(LogLock.holder(of: path) == getpid())
        #expect(LogLock.note(of: path) == note)
      }
      #expect(
        try FileManager.default.attributesOfItem(atPath: path + ".lock")[.modificationDate] as? Date == before
      )
      // The next one finds the note, and when it was written.
      lock.release()
      let next = try LogLock(logPath: path)
      #expect(next.found?.note == note)
      #expect(abs(Double(next.found?.at ?? 0) / 1e6 - (before?.timeIntervalSince1970 ?? 0)) < 0.001)
      next.release()
    }
  }

  @Test func `another process that holds the new lock file is named`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let lock = try LogLock(logPath: path)
      #expect(unlink(path + ".lock") == 0)
      let other = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      defer { close(other) }
      #expect(flock(other, LOCK_EX | LOCK_NB) == 0 && write(other, "4242\n", 5) == 5)
      let error = try await logError { _ = try lock.keep() }
      #expect(error.code == .inUse(pid: 4242))
      // It gives the lock up, as a start does that is refused.
      #expect(flock(other, LOCK_UN) == 0)
      #expect(try lock.keep() == .renewed)
      lock.release()
    }
  }

  @Test(arguments: ["link", "pipe", "folder"])
  func `what is no file of its own is not taken for the lock`(kind: String) async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let target = folder + "/target"
      try Data("precious".utf8).write(to: URL(fileURLWithPath: target))
      switch kind {
      case "link": #expect(symlink(target, path + ".lock") == 0)
      case "pipe": #expect(mkfifo(path + ".lock", 0o600) == 0)
      default: #expect(mkdir(path + ".lock", 0o700) == 0)
      }
      #expect(LogLock.holder(of: path) == nil && LogLock.note(of: path) == nil)
      let error = try await logError { _ = try LogLock(logPath: path) }
      #expect(
        error.code == .unusablePath && error.description.hasPrefix("\(path).lock cannot be used: it is "))
      #expect(try String(contentsOfFile: target, encoding: .utf8) == "precious")
    }
  }

  @Test func `one file has one lock whatever link names it`() async throws {
    try await withLog { log, path in
      try FileManager.default.createSymbolicLink(atPath: path + ".link", withDestinationPath: path)
      let error = try await logError {
        _ = try await TickLog.open(path: path + ".link", options: .make(), logger: silent)
      }
      #expect(error.code == .inUse(pid: getpid()))
      try await log.append(ticks(2))
      #expect(try await contents(of: path + ".link").ticks.count == 2)
    }
  }

  @Test func `programs started meanwhile do not inherit the lock`() async throws {
    try await withLog { _, path in
      let found = try descriptors(of: path + ".lock")
      for descriptor in found { #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0) }
      #expect(found.count == 1)
    }
  }
}
