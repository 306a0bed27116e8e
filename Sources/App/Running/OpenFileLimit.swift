import Base
import Glibc

/// The limit of open files of this process (`RLIMIT_NOFILE`).
///
/// Reference: https://man7.org/linux/man-pages/man2/getrlimit.2.html
enum OpenFileLimit {
  /// Raises the soft limit to the hard one. Where that is refused the old one stays, which counts then.
  static func raise() {
    guard var limit = current, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// The soft limit now.
  static var value: Int { current.map { Int(clamping: $0.rlim_cur) } ?? .max }

  private static var current: rlimit? {
    var limit = rlimit()
    return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? limit : nil
  }
}
