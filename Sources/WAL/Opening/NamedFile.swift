import Glibc

/// The file that has a name now.
package enum NamedFile: Equatable, Sendable {
  case none
  /// A file, whatever other names it has; a link is one itself.
  case file(device: UInt64, inode: UInt64)
  /// The system does not say, as on a volume that is in trouble.
  case unknown

  /// Looks at the name alone, and opens nothing.
  package init(_ path: String) {
    var info = stat()
    if lstat(path, &info) == 0 {
      self = .file(device: UInt64(info.st_dev), inode: UInt64(info.st_ino))
    } else {
      self = errno == ENOENT || errno == ENOTDIR ? .none : .unknown
    }
  }

  init(descriptor: Int32) {
    var info = stat()
    self =
      fstat(descriptor, &info) == 0
      ? .file(device: UInt64(info.st_dev), inode: UInt64(info.st_ino)) : .unknown
  }
}
