/// Times as the answers with keys write them.
package enum RFC3339 {
  /// Reads `2026-11-22T05:13:20Z`, with or without a fraction, `Z` or an offset (`+01:00`, `+0100`), as epoch
  /// seconds UTC, fractions dropped; nil for anything else.
  ///
  /// Reference: RFC 3339 §5.6.
  package static func epochSeconds(_ text: String) -> Int? {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
      bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: "t") || bytes[10] == UInt8(ascii: " "),
      bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
      let year = number(bytes[0..<4]), let month = number(bytes[5..<7]), let day = number(bytes[8..<10]),
      let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]),
      let second = number(bytes[17..<19])
    else { return nil }
    var rest = bytes[19...]
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      let fraction = rest.prefix { isDigit($0) }
      guard !fraction.isEmpty else { return nil }
      rest = rest.dropFirst(fraction.count)
    }
    guard let ahead = offset(rest) else { return nil }
    let local = CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    return local.exists ? local.epochSeconds - ahead : nil
  }

  /// Seconds that the local time is ahead of UTC.
  private static func offset(_ text: ArraySlice<UInt8>) -> Int? {
    if text.elementsEqual("Z".utf8) || text.elementsEqual("z".utf8) { return 0 }
    guard let sign = text.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
    var digits = Array(text.dropFirst())
    if digits.count == 5, digits[2] == UInt8(ascii: ":") { digits.remove(at: 2) }
    guard digits.count == 4, let hours = number(digits[..<2]), hours < 24, let minutes = number(digits[2...]),
      minutes < 60
    else { return nil }
    let seconds = (hours * 60 + minutes) * 60
    return sign == UInt8(ascii: "+") ? seconds : -seconds
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? { DecimalDigits.parse(digits) }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }
}
