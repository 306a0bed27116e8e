import Base
import Glibc

/// A call's failure for want of room: of space, of inodes, or of a quota.
enum NoRoom {
  static func isMeant(by code: Int32) -> Bool { code == ENOSPC || code == EDQUOT }

  /// - Parameter path: what was to be made or written.
  static func text(_ code: Int32, at path: String) -> String {
    switch code {
    case ENOSPC where Volume.lacksInodes(path): "its volume has no inodes left (df -i): remove files"
    case EDQUOT: "\(SystemError.text(code)): the quota on its volume is used up (quota -s)"
    default: SystemError.text(code)
    }
  }
}
