import Base

/// Times as people give them to commands; UTC, unless they say another offset.
enum TimeText {
  static let allowed = "a time (UTC) such as 02:10, 2026-11-22T02:10Z or -30m"

  /// Reads `-90s`, `-30m`, `-2h`, `-1d` (before now), `02:10`, `02:10:30` (the last time that the clock showed it),
  /// `2026-11-22T02:10Z`, with or without seconds and their fraction, and times as `status` shows them.
  ///
  /// - Parameter now: microseconds since 1970, UTC.
  /// - Returns: microseconds since 1970; nil for anything else.
  static func microseconds(_ text: String, now: Int64) -> Int64? {
    if let ago = ago(text) {
      let (time, overflow) = now.subtractingReportingOverflow(ago)
      return overflow ? nil : time
    }
    var rest = Substring(text)
    for mark in [" UTC", "Z", "z"] where rest.hasSuffix(mark) {
      rest = rest.dropLast(mark.count)
      break
    }
    guard let middle = rest.firstIndex(where: { $0 == "T" || $0 == "t" || $0 == " " }) else {
      guard let (time, fraction) = timeOfDay(rest) else { return nil }
      return lastTime(time, fraction, now: now)
    }
    if let (time, fraction) = timeOfDay(rest[rest.index(after: middle)...]) {
      guard let day = day(rest[..<middle]) else { return nil }
      return Int64(day.epochSeconds + time) * 1_000_000 + fraction
    }
    // With an offset of its own.
    return RFC3339.epochSeconds(text).map { Int64($0) * 1_000_000 }
  }

  /// The day of `2026-11-22`, at midnight; nil for one that does not exist.
  static func day(_ text: Substring) -> CivilTime? {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts.map(\.count) == [4, 2, 2],
      let year = DecimalDigits.parse(parts[0], upTo: 9_999), year >= 1,
      let month = DecimalDigits.parse(parts[1], upTo: 12),
      let day = DecimalDigits.parse(parts[2], upTo: 31)
    else { return nil }
    let midnight = CivilTime(year: year, month: month, day: day, hour: 0, minute: 0, second: 0)
    return midnight.exists ? midnight : nil
  }

  private static let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]

  private static func ago(_ text: String) -> Int64? {
    guard text.first == "-", let unit = text.last.flatMap({ units[$0] }),
      let count = DecimalDigits.parse(text.dropFirst().dropLast(), upTo: Int64(1_000_000_000))
    else { return nil }
    let (time, overflow) = (count * unit).multipliedReportingOverflow(by: 1_000_000)
    return overflow ? nil : time
  }

  /// Seconds since midnight, and microseconds.
  private static func timeOfDay(_ text: Substring) -> (seconds: Int, fraction: Int64)? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2 || parts.count == 3, parts[0].count == 2, parts[1].count == 2,
      let hour = DecimalDigits.parse(parts[0], upTo: 23), let minute = DecimalDigits.parse(parts[1], upTo: 59)
    else { return nil }
    guard parts.count == 3 else { return (hour * 3_600 + minute * 60, 0) }
    let digits = parts[2].split(separator: ".", omittingEmptySubsequences: false)
    guard digits.count <= 2, digits[0].count == 2, let second = DecimalDigits.parse(digits[0], upTo: 59)
    else { return nil }
    let seconds = hour * 3_600 + minute * 60 + second
    guard digits.count == 2 else { return (seconds, 0) }
    guard (1...6).contains(digits[1].count) else { return nil }
    let micro = digits[1] + String(repeating: "0", count: 6 - digits[1].count)
    return DecimalDigits.parse(micro, upTo: Int64(999_999)).map { (seconds, $0) }
  }

  private static func lastTime(_ seconds: Int, _ fraction: Int64, now: Int64) -> Int64 {
    let day = Int64(CivilTime.floorDivide(Int(now), 86_400_000_000).quotient) * 86_400_000_000
    let today = day + Int64(seconds) * 1_000_000 + fraction
    return today <= now ? today : today - 86_400_000_000
  }
}
