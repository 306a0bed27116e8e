import Base
import Glibc

/// A file beside the log that does nothing but take up room, to be given up when the volume is full: so that
/// consumers can still commit and ticks be trimmed.
struct Ballast {
  struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ doing: String, _ path: String, _ code: Int32) {
      description = "\(doing) \(path): \(SystemError.text(code))"
    }
  }

  let path: String

  init(logPath: String) {
    path = logPath + ".ballast"
  }

  /// Whether it is there with its blocks; somebody may have deleted or shortened it.
  func isWhole(bytes: Int) -> Bool {
    var info = stat()
    guard lstat(path, &info) == 0 else { return bytes == 0 }
    return bytes > 0 && Int(info.st_size) == bytes && Int(info.st_blocks) * 512 >= bytes
  }

  /// Allocates it, in place of one of another size.
  ///
  /// Reference: https://man7.org/linux/man-pages/man3/posix_fallocate.3.html
  func make(bytes: Int) throws(Failure) {
    try release()
    guard bytes > 0 else { return }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Failure("making", path, errno) }
    let code = posix_fallocate(descriptor, 0, off_t(bytes))
    close(descriptor)
    guard code == 0 else {
      try release()
      throw Failure("allocating", path, code)
    }
  }

  /// Gives its room to the volume.
  func release() throws(Failure) {
    guard unlink(path) == 0 || errno == ENOENT else { throw Failure("removing", path, errno) }
  }

  /// Before SQLite opens the log, which needs some room itself.
  func releaseIfFull(_ volume: Volume?) throws(Failure) {
    guard let volume, volume.available < Self.roomToOpen else { return }
    try release()
  }

  /// SQLite's shared memory and the first commits.
  private static let roomToOpen = 1 << 20
}
