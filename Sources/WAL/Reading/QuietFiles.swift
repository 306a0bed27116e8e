import Glibc

/// The state of a log's files while no process writes it. Two equal ones, before and after, mean that nothing was
/// written in between.
///
/// A reader needs it where SQLite's shared memory cannot be made, which is what keeps readers and the writer apart.
package struct QuietFiles: Equatable {
  private struct File: Equatable {
    let inode: ino_t
    let bytes: off_t
    let changedAt: Int
    let changedAtNanoseconds: Int

    init?(_ path: String) {
      var info = stat()
      guard stat(path, &info) == 0 else { return nil }
      inode = info.st_ino
      bytes = info.st_size
      changedAt = info.st_mtim.tv_sec
      changedAtNanoseconds = info.st_mtim.tv_nsec
    }
  }

  private let log: File?
  private let wal: File?

  /// `nil` while a process has the log, as far as can be told.
  init?(_ path: String) {
    guard !LogLock.mayBeHeld(path) else { return nil }
    log = File(path)
    wal = File(path + "-wal")
  }

  /// Less is free than SQLite needs beside a log that it only reads: its shared memory for 16 MiB of its WAL, and
  /// the pages of folders. Where it is tried in vain, empty files are left.
  private static let roomToRead = 256 << 10

  /// Whether a volume is so full that SQLite could not open a log there for reading.
  @Sendable package static func hasNoRoom(_ path: String) -> Bool {
    Volume.lacksInodes(path) || Volume.of(path).map { $0.available < roomToRead } ?? false
  }
}
