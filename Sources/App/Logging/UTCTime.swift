import Base

/// Times as messages carry them.
enum UTCTime {
  /// `2026-11-22T02:00:00.123Z`, from microseconds since 1970.
  ///
  /// Reference: RFC 3339, section 5.6.
  static func text(_ microseconds: Int64) -> String {
    let text = Timestamp.rfc3339(microseconds: Timestamp.clamped(microseconds: microseconds))
    // Milliseconds are enough for people.
    return text.dropLast(4) + "Z"
  }

  /// `2026-11-22 02:00:00 UTC`, for people.
  static func readable(microseconds: Int64) -> String {
    let text = text(microseconds)
    return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8)) UTC"
  }
}
