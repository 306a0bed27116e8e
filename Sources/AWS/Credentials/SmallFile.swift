import Base
import Glibc

/// A file of settings, read whole.
enum SmallFile {
  static let maximumBytes = 1 << 20

  /// nil when there is no such file; throws `CredentialError`: `Code.denied` for one that may not be read,
  /// `Code.unreadable` for anything else.
  ///
  /// Whatever else lies there under the name, a FIFO above all, would block for ever or never end. `/dev/null` is a
  /// file with nothing in it.
  static func read(_ path: String) throws(CredentialError) -> [UInt8]? {
    do throws(SystemError) {
      let file = try FileDescriptor(opening: path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
      var status = stat()
      guard fstat(file.number, &status) == 0 else { throw SystemError.last("reading", path) }
      if isNull(status) { return [] }
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw SystemError(doing: "reading", subject: path, code: EINVAL)
      }
      return try file.readAll(limit: maximumBytes)
    } catch {
      switch error.code {
      case ENOENT, ENOTDIR: return nil
      // A socket gives ENXIO.
      case EINVAL, EISDIR, ENXIO:
        throw CredentialError(.unreadable, "\(path): not a regular file, so it is not read")
      case EFBIG: throw CredentialError(.unreadable, "\(path): larger than \(Figures.bytes(maximumBytes))")
      case EACCES, EPERM: throw CredentialError(.denied, "\(path): \(error.reason)")
      default: throw CredentialError(.unreadable, "\(path): \(error.reason)")
      }
    }
  }

  private static func isNull(_ status: stat) -> Bool {
    status.st_mode & S_IFMT == S_IFCHR && status.st_rdev == makedev(1, 3)
  }

  /// Reference: makedev(3).
  private static func makedev(_ major: UInt64, _ minor: UInt64) -> dev_t {
    dev_t((major & 0xfff) << 8 | minor & 0xff)
  }
}
