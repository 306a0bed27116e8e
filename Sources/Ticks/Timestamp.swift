/// Points in time as text, UTC, without a formatter.
public enum Timestamp {
  /// Microseconds since 1970 of 0001-01-01 and of 10000-01-01: what four digits of a year can say.
  public static let representable: Range<Int64> = -62_135_596_800_000_000..<253_402_300_800_000_000

  public struct Parts: Equatable, Sendable {
    public let year: Int
    public let month: Int
    public let day: Int
    public let hour: Int
    public let minute: Int
    public let second: Int
    public let microsecond: Int

    /// - Parameter microseconds: since 1970, UTC; within ``Timestamp/representable``.
    ///
    /// Reference: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    public init(microseconds: Int64) {
      let (seconds, microsecond) = Timestamp.floorDivide(Int(microseconds), 1_000_000)
      let (days, secondOfDay) = Timestamp.floorDivide(seconds, 86_400)
      let shifted = days + 719_468
      let (era, dayOfEra) = Timestamp.floorDivide(shifted, 146_097)
      let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
      let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
      let shiftedMonth = (5 * dayOfYear + 2) / 153
      day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
      month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
      year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
      hour = secondOfDay / 3_600
      minute = secondOfDay / 60 % 60
      second = secondOfDay % 60
      self.microsecond = microsecond
    }
  }

  /// Appends `2022-10-14T20-16-38.188000Z`: dashes in the time, too, as the old pipeline wrote it.
  /// - Parameter microseconds: within `representable`.
  public static func appendDashed(microseconds: Int64, to out: inout [UInt8]) {
    append(microseconds, timeSeparator: UInt8(ascii: "-"), to: &out)
  }

  private static func append(_ microseconds: Int64, timeSeparator: UInt8, to out: inout [UInt8]) {
    let parts = Parts(microseconds: microseconds)
    let dash = UInt8(ascii: "-")
    append(parts.year, digits: 4, to: &out)
    out.append(dash)
    append(parts.month, digits: 2, to: &out)
    out.append(dash)
    append(parts.day, digits: 2, to: &out)
    out.append(UInt8(ascii: "T"))
    append(parts.hour, digits: 2, to: &out)
    out.append(timeSeparator)
    append(parts.minute, digits: 2, to: &out)
    out.append(timeSeparator)
    append(parts.second, digits: 2, to: &out)
    out.append(UInt8(ascii: "."))
    append(parts.microsecond, digits: 6, to: &out)
    out.append(UInt8(ascii: "Z"))
  }

  public static func dashed(microseconds: Int64) -> String {
    var bytes: [UInt8] = []
    appendDashed(microseconds: microseconds, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// `2022-10-14T20:16:38.188000Z`.
  /// - Parameter microseconds: within `representable`.
  ///
  /// Reference: RFC 3339, section 5.6.
  public static func rfc3339(microseconds: Int64) -> String {
    var bytes: [UInt8] = []
    append(microseconds, timeSeparator: UInt8(ascii: ":"), to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The nearest time that four digits of a year can say.
  public static func clamped(microseconds: Int64) -> Int64 {
    min(max(microseconds, representable.lowerBound), representable.upperBound - 1)
  }

  /// Whole UTC hours since 1970.
  public static func hour(microseconds: Int64) -> Int64 {
    Int64(floorDivide(Int(microseconds), 3_600_000_000).quotient)
  }

  /// Milliseconds since 1970, rounded down.
  public static func milliseconds(microseconds: Int64) -> Int64 {
    Int64(floorDivide(Int(microseconds), 1_000).quotient)
  }

  private static func append(_ number: Int, digits: Int, to out: inout [UInt8]) {
    var divisor = 1
    for _ in 1..<digits { divisor *= 10 }
    while divisor > 0 {
      out.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
      divisor /= 10
    }
  }

  fileprivate static func floorDivide(_ number: Int, _ divisor: Int) -> (quotient: Int, remainder: Int) {
    let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
