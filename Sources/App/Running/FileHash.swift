import AWS
import Base
import Glibc

/// A file's size and SHA-256, read once before an import.
enum FileHash {
  static func size(of path: String) throws -> Int {
    var info = stat()
    guard stat(path, &info) == 0 else { throw unreadable(path) }
    return Int(info.st_size)
  }

  /// - Returns: lower-case hex.
  static func sha256(of path: String) throws -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw unreadable(path) }
    defer { close(descriptor) }
    var hash = SHA256()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      guard count >= 0 else { throw unreadable(path) }
      if count == 0 { return hash.finish().hex }
      buffer.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      try Task.checkCancellation()
    }
  }

  private static func unreadable(_ path: String) -> CommandFailure {
    CommandFailure(.problems, "\(Text.oneLine(path)) cannot be read: \(String(cString: strerror(errno)))")
  }
}
