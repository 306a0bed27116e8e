/// Dates as HTTP writes them.
package enum HTTPDate {
  private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)

  /// Reads `Sun, 06 Nov 1994 08:49:37 GMT` as epoch seconds UTC; nil for anything else. The day's name is not
  /// checked, and the two obsolete forms are not read: no AWS service sends them.
  ///
  /// Reference: RFC 9110 §5.6.7, IMF-fixdate.
  package static func epochSeconds(_ text: some Collection<UInt8>) -> Int? {
    guard text.count == 29 else { return nil }
    let bytes = Array(text)
    func number(_ range: Range<Int>) -> Int? { DecimalDigits.parse(bytes[range]) }
    guard bytes[3] == UInt8(ascii: ","), bytes[19] == UInt8(ascii: ":"), bytes[22] == UInt8(ascii: ":"),
      [4, 7, 11, 16, 25].allSatisfy({ bytes[$0] == UInt8(ascii: " ") }),
      bytes[26...].elementsEqual("GMT".utf8),
      let month = stride(from: 0, to: 36, by: 3).first(where: {
        months[$0..<($0 + 3)].elementsEqual(bytes[8..<11])
      }),
      let day = number(5..<7), let year = number(12..<16), let hour = number(17..<19),
      let minute = number(20..<22), let second = number(23..<25)
    else { return nil }
    let time = CivilTime(
      year: year, month: month / 3 + 1, day: day, hour: hour, minute: minute, second: second)
    return time.exists ? time.epochSeconds : nil
  }
}
