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
    guard let info = information(path) else { return nil }
    func bytes(_ blocks: UInt) -> Int {
      let (product, isTooMuch) = blocks.multipliedReportingOverflow(by: info.f_frsize)
      return isTooMuch ? .max : Int(clamping: product)
    }
    return Volume(available: bytes(info.f_bavail), size: bytes(info.f_blocks))
  }

  /// Whether no file can be made on the file system of a path, although there may be space.
  static func lacksInodes(_ path: String) -> Bool {
    guard let info = information(path) else { return false }
    // Some file systems have no fixed number, and say 0 of both.
    return info.f_files > 0 && info.f_favail == 0
  }

  private static func information(_ path: String) -> statvfs? {
    var info = statvfs()
    let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "."
    return statvfs(path, &info) == 0 || statvfs(String(folder), &info) == 0 ? info : nil
  }
}
