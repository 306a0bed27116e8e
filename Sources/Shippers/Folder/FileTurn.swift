import Base
import Glibc

/// Turns among processes that write one file, or one folder: a lock on a file beside it, held for one write.
///
/// Two connections to a SQLite file that both commit and checkpoint can lose what was committed (SQLite's "WAL-reset" bug, until
/// 3.51.2). With a turn they never do so at the same time.
///
/// Reference: https://www.sqlite.org/wal.html#walresetbug
struct FileTurn: Sendable {
  private let path: String
  private let pause: @Sendable () -> Void

  /// - Parameters:
  ///   - path: of the file or folder.
  ///   - pause: runs between the tries.
  init(of path: String, pause: @escaping @Sendable () -> Void = { usleep(FileTurn.pauseMicroseconds) }) {
    self.path = path + ".lock"
    self.pause = pause
  }

  /// Waits for the turn, at most as long as SQLite waits for its own locks, and keeps it for the body alone.
  ///
  /// - Throws: `SystemError` if the turn does not come, `OwnFile.Refusal` if the lock's file cannot be made or is not
  ///   one; what the body throws.
  func take<T>(_ body: () throws -> T) throws -> T {
    // It stays when the turn ends: removing it would let two processes lock two files of one name.
    let file = FileDescriptor(owning: try OwnFile.open(path, O_RDWR | O_CREAT), name: path)
    guard FileLock.take(.exclusive, of: file.number, tries: Self.tries, pause: pause) else {
      throw SystemError.last("waiting for another process that writes beside", path)
    }
    defer { FileLock.giveUp(file.number) }
    return try body()
  }

  private static let tries = 1_001
  private static let pauseMicroseconds: UInt32 = 5_000
}
