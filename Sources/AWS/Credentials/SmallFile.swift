import Glibc

/// Reads files of settings whole.
enum SmallFile {
  static let maximumBytes = 1 << 20

  /// nil when there is no such file; throws `CredentialError.Code.unreadable` for anything else.
  static func read(_ path: String) throws(CredentialError) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    if file < 0, errno == ENOENT || errno == ENOTDIR { return nil }
    guard file >= 0 else { throw unreadable(path, errno) }
    defer { close(file) }

    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = chunk.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
      if count == 0 { return bytes }
      if count < 0 {
        if errno == EINTR { continue }
        throw unreadable(path, errno)
      }
      bytes.append(contentsOf: chunk[..<count])
      guard bytes.count <= maximumBytes else {
        throw CredentialError(.unreadable, "\(path): larger than \(maximumBytes) bytes")
      }
    }
  }

  private static func unreadable(_ path: String, _ number: Int32) -> CredentialError {
    CredentialError(.unreadable, "\(path): \(String(cString: strerror(number)))")
  }
}
