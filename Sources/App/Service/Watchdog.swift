import Base

/// The service manager's demand to hear from this process at regular times.
enum Watchdog {
  /// The longest that it waits; `nil` if it does not, or means another process.
  ///
  /// - Parameter pid: of this process.
  ///
  /// Reference: sd_watchdog_enabled(3).
  static func interval(_ environment: [String: String], pid: Int32) -> Duration? {
    if let meant = environment["WATCHDOG_PID"], meant != "\(pid)" { return nil }
    // A year in microseconds, so that no sum of times overflows.
    guard let text = environment["WATCHDOG_USEC"],
      let interval = DecimalDigits.parse(text, upTo: 31_536_000_000_000), interval > 0
    else { return nil }
    return .microseconds(interval)
  }
}
