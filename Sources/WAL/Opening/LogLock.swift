import Base
import Glibc
import Synchronization

/// The lock on `WAL_PATH.lock` that keeps a second process from writing the log.
///
/// The file stays when the lock is given up: removing it would let two processes lock two files of one name. Its
/// first line is the holder's pid, its second a ``HeadHint``. If somebody else removes it, the holder makes it anew.
package final class LogLock: Sendable {
  private struct Held {
    var descriptor: Int32
    var file: NamedFile
    /// Written last, or found.
    var note: HeadHint?
    var notedAt: timespec?
  }

  private let logPath: String
  private let path: String
  private let held: Mutex<Held?>
  /// The note that the last holder has left, and when.
  let found: FoundNote?

  /// - Parameter pause: runs between the tries.
  /// - Throws: `inUse` with the holder's pid, or `unusablePath`.
  init(
    logPath: String, pause: () -> Void = { usleep(LogLock.pauseMicroseconds) }
  ) throws(LogError) {
    self.logPath = logPath
    path = LogLock.path(logPath)
    let descriptor = try LogLock.openFile(path, O_RDWR | O_CREAT)
    try LogLock.take(descriptor, logPath, pause)
    let note = LogLock.note(in: descriptor)
    let notedAt = note.flatMap { _ in LogLock.changedAt(descriptor) }
    do throws(LogError) {
      try LogLock.write(note, at: notedAt, to: descriptor, logPath)
    } catch {
      LogLock.unlock(descriptor)
      throw error
    }
    held = Mutex(
      Held(descriptor: descriptor, file: NamedFile(descriptor: descriptor), note: note, notedAt: notedAt))
    found = note.flatMap { note in notedAt.map { FoundNote(note: note, at: $0.microseconds) } }
  }

  /// Notes how far the log is; not durable.
  /// - Throws: `failed`; nothing depends on it.
  func write(_ note: HeadHint) throws(LogError) {
    let line = Array(note.line.utf8)
    try held.withLock { held throws(LogError) in
      guard let descriptor = held?.descriptor else { return }
      held?.note = note
      held?.notedAt = nil
      guard pwrite(descriptor, line, line.count, off_t(LogLock.pidLine.utf8.count)) == line.count else {
        throw LogError(.failed, "noting the head: \(SystemError.text(errno))")
      }
    }
  }

  deinit { release() }

  func release() {
    held.withLock { held in
      guard let descriptor = held?.descriptor else { return }
      // The pid stays, and counts for nothing while nobody holds the lock.
      LogLock.unlock(descriptor)
      held = nil
    }
  }

  // MARK: Keeping it

  /// The outcome of a look at the file's name.
  enum Keeping: Equatable {
    case kept
    /// Somebody had removed or replaced the file: it is there again, with the lock on it.
    case renewed
    /// The file is not there, and cannot be made.
    case impossible(String)
  }

  /// Sees to it that the file which has the name is the one that this process has locked.
  ///
  /// - Throws: `inUse` if another process has the lock on the file that has the name now: it has the log, too.
  func keep() throws(LogError) -> Keeping {
    try held.withLock { held throws(LogError) in
      let named = NamedFile(path)
      // Where the system does not say, nothing is done: the file may well be this one.
      guard let old = held, named != old.file, named != .unknown, old.file != .unknown else { return .kept }
      let descriptor: Int32
      do throws(LogError) {
        descriptor = try LogLock.openFile(path, O_RDWR | O_CREAT)
      } catch {
        return .impossible(error.description)
      }
      do throws(LogError) {
        try LogLock.take(descriptor, logPath) { usleep(LogLock.pauseMicroseconds) }
      } catch {
        if case .inUse = error.code { throw error }
        return .impossible(error.description)
      }
      do throws(LogError) {
        let time = old.notedAt ?? LogLock.changedAt(old.descriptor)
        try LogLock.write(old.note, at: time, to: descriptor, logPath)
      } catch {
        LogLock.unlock(descriptor)
        return .impossible(error.description)
      }
      LogLock.unlock(old.descriptor)
      held?.descriptor = descriptor
      held?.file = NamedFile(descriptor: descriptor)
      return .renewed
    }
  }

  // MARK: Looking

  /// The process that holds the lock now; `nil` if none does.
  package static func holder(of logPath: String) -> Int32? {
    guard let descriptor = try? OwnFile.open(path(logPath), O_RDONLY) else { return nil }
    // A shared lock, given up at once, so that two askers do not see each other.
    defer { LogLock.unlock(descriptor) }
    guard !FileLock.take(.shared, of: descriptor) else { return nil }
    return pid(in: descriptor)
  }

  /// Whether a process may hold the lock now, known by its pid or not: also where that cannot be looked at.
  static func mayBeHeld(_ logPath: String) -> Bool {
    do throws(OwnFile.Refusal) {
      let descriptor = try OwnFile.open(path(logPath), O_RDONLY)
      defer { LogLock.unlock(descriptor) }
      return !FileLock.take(.shared, of: descriptor)
    } catch {
      return error.code != ENOENT
    }
  }

  /// The note of the process that had the log last.
  package static func note(of logPath: String) -> HeadHint? {
    guard let descriptor = try? OwnFile.open(path(logPath), O_RDONLY) else { return nil }
    defer { Glibc.close(descriptor) }
    return note(in: descriptor)
  }

  // MARK: The file

  private static func path(_ logPath: String) -> String { logPath + ".lock" }

  private static var pidLine: String { "\(getpid())\n" }

  private static func openFile(_ path: String, _ flags: Int32) throws(LogError) -> Int32 {
    do throws(OwnFile.Refusal) {
      return try OwnFile.open(path, flags)
    } catch {
      throw LogError.refused(error)
    }
  }

  /// For a moment, because `holder` holds the lock while it looks.
  private static let tries = 11
  private static let pauseMicroseconds: UInt32 = 10_000

  /// Closes the descriptor if it fails.
  private static func take(_ descriptor: Int32, _ logPath: String, _ pause: () -> Void) throws(LogError) {
    guard FileLock.take(.exclusive, of: descriptor, tries: tries, pause: pause) else {
      let code = errno
      let pid = pid(in: descriptor)
      Glibc.close(descriptor)
      guard code == EWOULDBLOCK else { throw LogError.unusable(logPath, code) }
      throw LogError.inUse(logPath, by: pid)
    }
  }

  /// Writes this process's pid and a note; what was noted keeps its time.
  private static func write(
    _ note: HeadHint?, at time: timespec?, to descriptor: Int32, _ logPath: String
  ) throws(LogError) {
    let text = Array((pidLine + (note?.line ?? "")).utf8)
    // In this order, so that it needs no new block on a full volume. Where it needs one after all, the lock
    // holds, and whoever is turned away does not learn by whom; half a pid would name another process.
    let written = pwrite(descriptor, text, text.count, 0)
    guard written >= 0 || NoRoom.isMeant(by: errno),
      ftruncate(descriptor, written == text.count ? off_t(text.count) : 0) == 0
    else { throw LogError.unusable(logPath, errno) }
    guard let time else { return }
    // Nothing but the beginning of a gap depends on it.
    _ = futimens(descriptor, [time, time])
  }

  private static func changedAt(_ descriptor: Int32) -> timespec? {
    var info = stat()
    return fstat(descriptor, &info) == 0 ? info.st_mtim : nil
  }

  private static func unlock(_ descriptor: Int32) {
    FileLock.giveUp(descriptor)
    Glibc.close(descriptor)
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

/// The note that the last holder of a lock has left, with the time at which it was written.
struct FoundNote: Sendable {
  let note: HeadHint
  /// Microseconds since 1970, UTC.
  let at: Int64
}

extension timespec {
  fileprivate var microseconds: Int64 { Int64(tv_sec) &* 1_000_000 &+ Int64(tv_nsec) / 1_000 }
}

extension LogError {
  /// Another process has the log.
  package static func inUse(_ path: String, by pid: Int32?) -> LogError {
    let holder = pid.map { "process \($0)" } ?? "another process"
    return LogError(.inUse(pid: pid), "the log \(path) is in use by \(holder)")
  }

  package static func notRegular(_ path: String) -> LogError {
    LogError(.unusablePath, "the log \(path) cannot be used: not a regular file\(advice)")
  }

  /// A file beside the log is not what it should be, or cannot be opened.
  static func refused(_ refusal: OwnFile.Refusal) -> LogError {
    refusal.code == 0
      ? LogError(.unusablePath, "\(refusal)") : LogError.unusable(refusal.path, refusal.code)
  }

  static let advice = "; WAL_PATH must name a file that can be made, read and written"
  private static let readOnlyAdvice =
    "; mount it for writing, or only read it: `status`, `verify`, `replay` and `reconcile` can"

  package static func unusable(_ path: String, _ code: Int32) -> LogError {
    let kind: LogError.Code =
      switch code {
      case _ where NoRoom.isMeant(by: code): .diskFull
      case EMFILE, ENFILE: .failed
      default: .unusablePath
      }
    return LogError(
      kind,
      "the log \(path) cannot be used: \(NoRoom.text(code, at: path))"
        + (kind != .unusablePath ? "" : code == EROFS ? readOnlyAdvice : advice))
  }
}
