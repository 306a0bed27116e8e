import Base
import Glibc
import Logging

/// The way in which lines are written, as whoever reads them wants them: a file, a person at a terminal, or systemd's
/// journal.
enum LineStyle: Sendable {
  case plain
  case coloured
  /// With a priority in front; without a time, which the journal has.
  case journal

  /// The journal's mark of a severity; empty for other readers.
  ///
  /// Reference: sd-daemon(3), syslog(3).
  func priority(_ level: Logger.Level) -> String {
    guard self == .journal else { return "" }
    return switch level {
    case .trace, .debug: "<7>"
    case .info: "<6>"
    case .notice: "<5>"
    case .warning: "<4>"
    case .error: "<3>"
    case .critical: "<2>"
    }
  }

  /// Whether the journal's stream is the file with these numbers: a variable that is inherited may mean another one.
  ///
  /// - Parameter stream: JOURNAL_STREAM, as in `8:12345`.
  ///
  /// Reference: systemd.exec(5), JOURNAL_STREAM.
  static func isJournal(_ stream: String?, device: UInt64, inode: UInt64) -> Bool {
    let parts = (stream ?? "").split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return false }
    return DecimalDigits.parse(parts[0], upTo: UInt64.max) == device
      && DecimalDigits.parse(parts[1], upTo: UInt64.max) == inode
  }
}
