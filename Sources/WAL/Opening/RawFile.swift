import Base
import Glibc

/// A file read by position. Never the log's while this process has it open in SQLite: closing would drop SQLite's
/// locks on it.
package struct RawFile {
  package let path: String
  private let descriptor: Int32

  /// `nil` if there is no such file.
  package init?(_ path: String) throws(LogError) {
    self.path = path
    // Whatever lies there, opening it does not wait.
    descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      guard errno == ENOENT else { throw LogError.unusable(path, errno) }
      return nil
    }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
      Glibc.close(descriptor)
      throw LogError.notRegular(path)
    }
  }

  /// Bytes.
  package func size() throws(LogError) -> Int {
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { throw LogError.unusable(path, errno) }
    return Int(info.st_size)
  }

  package func close() { Glibc.close(descriptor) }

  /// Fewer bytes where the file ends.
  package func read(at position: Int, count: Int) throws(LogError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let done = bytes.withUnsafeMutableBytes { FileBytes.read(descriptor, at: position, into: $0) }
    guard done >= 0 else { throw LogError(.failed, "reading \(path) failed: \(SystemError.lastText)") }
    bytes.removeLast(count - done)
    return bytes
  }
}
