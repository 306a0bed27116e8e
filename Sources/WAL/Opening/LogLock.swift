import Base
import Glibc
import Synchronization

/// The lock on `WAL_PATH.lock` that keeps a second process from writing the log.
///
/// The file stays when the lock is given up: removing it would let two processes lock two files of one name. Its
/// first line is the holder's pid, its second a ``HeadHint``.
package final class LogLock: Sendable {
  private let descriptor: Mutex<Int32?>
  private let pidBytes: Int
  /// The note that the last holder has left.
  let found: HeadHint?

  /// - Parameter pause: runs between the tries.
  /// - Throws: `inUse` with the holder's pid, or `unusablePath`.
  init(
    logPath: String, pause: () -> Void = { usleep(LogLock.pauseMicroseconds) }
  ) throws(LogError) {
    let path = logPath + ".lock"
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw LogError.unusable(logPath, errno) }
    guard FileLock.take(.exclusive, of: descriptor, tries: LogLock.tries, pause: pause) else {
      let code = errno
      let pid = LogLock.pid(in: descriptor)
      Glibc.close(descriptor)
      guard code == EWOULDBLOCK else { throw LogError.unusable(logPath, code) }
      let holder = pid.map { "process \($0)" } ?? "another process"
      throw LogError(.inUse(pid: pid), "the log \(logPath) is in use by \(holder)")
    }
    let pid = "\(getpid())\n"
    let note = LogLock.note(in: descriptor)
    let text = Array((pid + (note?.line ?? "")).utf8)
    // In this order, so that it needs no new block on a full volume. Where it needs one after all, the lock
    // holds, and whoever is turned away does not learn by whom; half a pid would name another process.
    let written = pwrite(descriptor, text, text.count, 0)
    guard written >= 0 || errno == ENOSPC,
      ftruncate(descriptor, written == text.count ? off_t(text.count) : 0) == 0
    else {
      let code = errno
      LogLock.unlock(descriptor)
      throw LogError.unusable(logPath, code)
    }
    self.descriptor = Mutex(descriptor)
    pidBytes = pid.utf8.count
    found = note
  }

  /// Notes how far the log is; not durable.
  /// - Throws: `failed`; nothing depends on it.
  func write(_ note: HeadHint) throws(LogError) {
    let line = Array(note.line.utf8)
    try descriptor.withLock { descriptor throws(LogError) in
      guard let descriptor else { return }
      guard pwrite(descriptor, line, line.count, off_t(pidBytes)) == line.count else {
        throw LogError(.failed, "noting the head: \(SystemError.text(errno))")
      }
    }
  }

  deinit { release() }

  /// For a moment, because `holder` holds the lock while it looks.
  private static let tries = 11
  private static let pauseMicroseconds: UInt32 = 10_000

  func release() {
    descriptor.withLock { descriptor in
      guard let open = descriptor else { return }
      // The pid stays, and counts for nothing while nobody holds the lock.
      LogLock.unlock(open)
      descriptor = nil
    }
  }

  private static func unlock(_ descriptor: Int32) {
    FileLock.giveUp(descriptor)
    Glibc.close(descriptor)
  }

  /// The process that holds the lock now; `nil` if none does.
  package static func holder(of logPath: String) -> Int32? {
    let descriptor = open(logPath + ".lock", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    // A shared lock, given up at once, so that two askers do not see each other.
    defer { LogLock.unlock(descriptor) }
    guard !FileLock.take(.shared, of: descriptor) else { return nil }
    return pid(in: descriptor)
  }

  /// The note of the process that had the log last.
  package static func note(of logPath: String) -> HeadHint? {
    let descriptor = open(logPath + ".lock", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { Glibc.close(descriptor) }
    return note(in: descriptor)
  }

  private static func pid(in descriptor: Int32) -> Int32? {
    lines(in: descriptor).first.flatMap { Int32($0) }
  }

  private static func note(in descriptor: Int32) -> HeadHint? {
    lines(in: descriptor).dropFirst().first.flatMap { HeadHint(line: $0) }
  }

  private static func lines(in descriptor: Int32) -> [Substring] {
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = pread(descriptor, &buffer, buffer.count, 0)
    guard count > 0 else { return [] }
    return String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
  }
}

extension LogError {
  package static func notRegular(_ path: String) -> LogError {
    LogError(.unusablePath, "the log \(path) cannot be used: not a regular file")
  }

  package static func unusable(_ path: String, _ code: Int32) -> LogError {
    let kind: LogError.Code =
      switch code {
      case ENOSPC: .diskFull
      case EMFILE, ENFILE: .failed
      default: .unusablePath
      }
    return LogError(
      kind,
      "the log \(path) cannot be used: \(SystemError.text(code))")
  }
}
