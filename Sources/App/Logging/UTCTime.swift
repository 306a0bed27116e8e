import Glibc

/// Wall-clock time as text.
enum UTCTime {
  /// Microseconds since 1970.
  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
  }

  /// `2026-11-22T02:00:00.123Z`, from microseconds since 1970.
  ///
  /// Reference: RFC 3339, section 5.6.
  static func text(_ microseconds: Int64) -> String {
    let milliseconds = Int(microseconds.floorDivided(by: 1_000))
    var seconds = time_t(milliseconds.floorDivided(by: 1_000))
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let date =
      "\(digits(Int(parts.tm_year) + 1900, 4))-\(digits(Int(parts.tm_mon) + 1, 2))-\(digits(Int(parts.tm_mday), 2))"
    let time =
      "\(digits(Int(parts.tm_hour), 2)):\(digits(Int(parts.tm_min), 2)):\(digits(Int(parts.tm_sec), 2))"
    return "\(date)T\(time).\(digits(milliseconds - Int(seconds) * 1_000, 3))Z"
  }

  private static func digits(_ number: Int, _ count: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, count - text.count)) + text
  }
}

extension BinaryInteger {
  /// The quotient rounded towards minus infinity, so that times before 1970 work too.
  fileprivate func floorDivided(by divisor: Self) -> Self {
    let quotient = self / divisor
    return self % divisor < 0 ? quotient - 1 : quotient
  }
}
