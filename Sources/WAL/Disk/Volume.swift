import Glibc

/// The file system that the log lies on.
package struct Volume: Sendable, Equatable {
  /// Bytes that this process may still write.
  package var available: Int
  package var size: Int

  package init(available: Int, size: Int) {
    self.available = available
    self.size = size
  }

  /// The file system of a file, or of its folder if there is no file yet.
  ///
  /// - Returns: `nil` if the system does not say.
  package static func of(_ path: String) -> Volume? {
    var info = statvfs()
    let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "."
    guard statvfs(path, &info) == 0 || statvfs(String(folder), &info) == 0 else { return nil }
    let unit = Int(info.f_frsize)
    return Volume(available: Int(info.f_bavail) * unit, size: Int(info.f_blocks) * unit)
  }
}
