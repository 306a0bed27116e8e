import Base
import Glibc

/// A file of settings, read whole.
enum SmallFile {
  static let maximumBytes = 1 << 20

  /// nil when there is no such file; throws `CredentialError.Code.unreadable` for anything else.
  static func read(_ path: String) throws(CredentialError) -> [UInt8]? {
    do throws(SystemError) {
      return try FileDescriptor(opening: path, O_RDONLY).readAll(limit: maximumBytes)
    } catch {
      switch error.code {
      case ENOENT, ENOTDIR: return nil
      case EFBIG: throw CredentialError(.unreadable, "\(path): larger than \(maximumBytes) bytes")
      default: throw CredentialError(.unreadable, "\(path): \(error.reason)")
      }
    }
  }
}
