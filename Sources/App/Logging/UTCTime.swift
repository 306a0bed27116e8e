import Base
import Ticks

/// Times as messages carry them.
enum UTCTime {
  /// `2026-11-22T02:00:00.123Z`, from microseconds since 1970.
  ///
  /// Reference: RFC 3339, section 5.6.
  static func text(_ microseconds: Int64) -> String {
    let (parts, microsecond) = Timestamp.parts(microseconds: microseconds)
    let date = "\(digits(parts.year, 4))-\(digits(parts.month, 2))-\(digits(parts.day, 2))"
    let time = "\(digits(parts.hour, 2)):\(digits(parts.minute, 2)):\(digits(parts.second, 2))"
    return "\(date)T\(time).\(digits(microsecond / 1_000, 3))Z"
  }

  /// `2026-11-22 02:00:00 UTC`, for people.
  static func readable(microseconds: Int64) -> String {
    let text = text(microseconds)
    return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8)) UTC"
  }

  private static func digits(_ number: Int, _ count: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, count - text.count)) + text
  }
}
