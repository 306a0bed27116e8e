/// Date and time of day, UTC, proleptic Gregorian.
package struct CivilTime: Equatable, Sendable {
  package var year: Int
  package var month: Int
  package var day: Int
  package var hour: Int
  package var minute: Int
  package var second: Int

  /// Reference: https://howardhinnant.github.io/date_algorithms.html, civil_from_days
  package init(epochSeconds: Int) {
    let (days, rest) = Self.floorDivide(epochSeconds, 86_400)
    let (era, dayOfEra) = Self.floorDivide(days + 719_468, 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shifted + 2) / 5 + 1
    month = shifted < 10 ? shifted + 3 : shifted - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    hour = rest / 3_600
    minute = rest / 60 % 60
    second = rest % 60
  }

  package init(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
    self.year = year
    self.month = month
    self.day = day
    self.hour = hour
    self.minute = minute
    self.second = second
  }

  /// Reference: the same page, days_from_civil.
  package var epochSeconds: Int {
    let shiftedYear = month <= 2 ? year - 1 : year
    let (era, yearOfEra) = Self.floorDivide(shiftedYear, 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return (era * 146_097 + dayOfEra - 719_468) * 86_400 + hour * 3_600 + minute * 60 + second
  }

  /// `20150830T123600Z`.
  package func appendBasic(to bytes: inout [UInt8]) {
    appendDigits(year, 4, &bytes)
    appendDigits(month, 2, &bytes)
    appendDigits(day, 2, &bytes)
    bytes.append(UInt8(ascii: "T"))
    appendDigits(hour, 2, &bytes)
    appendDigits(minute, 2, &bytes)
    appendDigits(second, 2, &bytes)
    bytes.append(UInt8(ascii: "Z"))
  }

  private func appendDigits(_ value: Int, _ count: Int, _ bytes: inout [UInt8]) {
    var divisor = count == 4 ? 1_000 : 10
    while divisor > 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
      divisor /= 10
    }
  }

  /// Whether the calendar has this day and the clock this time; 60 is a second (RFC 3339, leap seconds).
  package var exists: Bool {
    guard (1...12).contains(month), day >= 1, (0..<24).contains(hour), (0..<60).contains(minute),
      (0...60).contains(second)
    else { return false }
    let midnight = CivilTime(year: year, month: month, day: day, hour: 0, minute: 0, second: 0)
    return CivilTime(epochSeconds: midnight.epochSeconds) == midnight
  }

  /// The quotient rounded down, and what is left, which is never below 0.
  package static func floorDivide(_ value: Int, _ divisor: Int) -> (quotient: Int, remainder: Int) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
