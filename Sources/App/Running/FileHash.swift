import Base
import Glibc

/// A file's size and SHA-256, read once before an import.
enum FileHash {
  /// - Returns: `nil` for a pipe and whatever else can be read only once.
  static func size(of path: String) throws -> Int? {
    var info = stat()
    guard stat(path, &info) == 0 else { throw unreadable(path, .last("reading", path)) }
    guard info.st_mode & S_IFMT != S_IFDIR else {
      throw unreadable(path, SystemError(doing: "reading", subject: path, code: EISDIR))
    }
    return info.st_mode & S_IFMT == S_IFREG ? Int(info.st_size) : nil
  }

  /// - Returns: lower-case hex.
  static func sha256(of path: String) throws -> String {
    do {
      let file = try FileDescriptor(opening: path, O_RDONLY | O_NONBLOCK)
      var hash = SHA256()
      // Small enough to be hashed before it leaves the processor's cache.
      var buffer = [UInt8](repeating: 0, count: 128 << 10)
      while true {
        let count = buffer.withUnsafeMutableBytes { FileBytes.read(file.number, into: $0) }
        guard count >= 0 else { throw SystemError.last("reading", path) }
        if count == 0 { return hash.finish().hex }
        buffer.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        try Task.checkCancellation()
      }
    } catch let error as SystemError {
      throw unreadable(path, error)
    }
  }

  private static func unreadable(_ path: String, _ error: SystemError) -> CommandFailure {
    CommandFailure(.problems, "\(Text.oneLine(path)) cannot be read: \(error.reason)")
  }
}
