/// Points in time as text, UTC, without a formatter.
package enum Timestamp {
  /// Microseconds since 1970 of 0001-01-01 and of 10000-01-01: what four digits of a year can say.
  package static let representable: Range<Int64> = -62_135_596_800_000_000..<253_402_300_800_000_000

  /// The civil time of a moment, and the rest of its second.
  ///
  /// - Parameter microseconds: since 1970, UTC.
  package static func parts(microseconds: Int64) -> (time: CivilTime, microsecond: Int) {
    let (seconds, microsecond) = CivilTime.floorDivide(Int(microseconds), 1_000_000)
    return (CivilTime(epochSeconds: seconds), microsecond)
  }

  /// Appends `2022-10-14T20-16-38.188000Z`: dashes in the time, too, as the old pipeline wrote it.
  package static func appendDashed(microseconds: Int64, to out: inout [UInt8]) {
    append(microseconds, timeSeparator: UInt8(ascii: "-"), to: &out)
  }

  /// A time that four digits of a year cannot say, as only a damaged row has it, becomes the nearest one.
  private static func append(_ microseconds: Int64, timeSeparator: UInt8, to out: inout [UInt8]) {
    let (parts, microsecond) = parts(microseconds: clamped(microseconds: microseconds))
    let dash = UInt8(ascii: "-")
    // One row of an object has one of these: it is made apart, and the array looked after once.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: length) { text in
      var end = 0
      func put(_ number: Int, digits: Int, then byte: UInt8) {
        var rest = number
        for place in stride(from: end + digits - 1, through: end, by: -1) {
          text[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
          rest /= 10
        }
        text[end + digits] = byte
        end += digits + 1
      }
      put(parts.year, digits: 4, then: dash)
      put(parts.month, digits: 2, then: dash)
      put(parts.day, digits: 2, then: UInt8(ascii: "T"))
      put(parts.hour, digits: 2, then: timeSeparator)
      put(parts.minute, digits: 2, then: timeSeparator)
      put(parts.second, digits: 2, then: UInt8(ascii: "."))
      put(microsecond, digits: 6, then: UInt8(ascii: "Z"))
      out.append(contentsOf: text)
    }
  }

  /// Of such a text.
  private static let length = 27

  package static func dashed(microseconds: Int64) -> String {
    var bytes: [UInt8] = []
    appendDashed(microseconds: microseconds, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// `2022-10-14T20:16:38.188000Z`.
  ///
  /// Reference: RFC 3339, section 5.6.
  package static func rfc3339(microseconds: Int64) -> String {
    var bytes: [UInt8] = []
    append(microseconds, timeSeparator: UInt8(ascii: ":"), to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Reads what ``dashed(microseconds:)`` and ``rfc3339(microseconds:)`` write: microseconds since 1970, UTC; nil for
  /// anything else.
  package static func microseconds(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    guard bytes.count == 27, bytes[19] == UInt8(ascii: "."),
      let fraction = DecimalDigits.parse(bytes[20..<26]) as Int?
    else { return nil }
    var second = Array(bytes[..<19]) + [UInt8(ascii: "Z")]
    for place in [13, 16] where second[place] == UInt8(ascii: "-") { second[place] = UInt8(ascii: ":") }
    guard bytes[26] == UInt8(ascii: "Z"),
      let seconds = RFC3339.epochSeconds(String(decoding: second, as: UTF8.self))
    else { return nil }
    return Int64(seconds) * 1_000_000 + Int64(fraction)
  }

  /// The nearest time that four digits of a year can say.
  package static func clamped(microseconds: Int64) -> Int64 {
    min(max(microseconds, representable.lowerBound), representable.upperBound - 1)
  }

  /// Whole UTC hours since 1970.
  package static func hour(microseconds: Int64) -> Int64 {
    Int64(CivilTime.floorDivide(Int(microseconds), 3_600_000_000).quotient)
  }

  /// Milliseconds since 1970, rounded down.
  package static func milliseconds(microseconds: Int64) -> Int64 {
    Int64(CivilTime.floorDivide(Int(microseconds), 1_000).quotient)
  }
}
