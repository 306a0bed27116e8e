/// The one reader of numbers that come from outside: decimal digits and nothing else.
///
/// No sign, no blank, no exponent, no digit but `0` to `9`; leading zeros are allowed. The standard library's
/// initializers take a sign, and `Double`'s also `nan`, `inf` and `0x1p3`, which whoever bounds a number from above
/// does not expect.
package enum DecimalDigits {
  /// A whole number from 0 to `limit`; nil for anything else.
  package static func parse<Number: FixedWidthInteger>(
    _ digits: some Sequence<UInt8>, upTo limit: Number = .max
  ) -> Number? {
    var number: Number?
    for byte in digits {
      let digit = byte &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      let (tens, overflows) = (number ?? 0).multipliedReportingOverflow(by: 10)
      let (sum, overflowsToo) = tens.addingReportingOverflow(Number(digit))
      guard !overflows, !overflowsToo, sum <= limit else { return nil }
      number = sum
    }
    return number
  }

  /// A whole number from 0 to `limit`; nil for anything else.
  package static func parse<Number: FixedWidthInteger>(
    _ text: some StringProtocol, upTo limit: Number = .max
  ) -> Number? {
    parse(text.utf8, upTo: limit)
  }

  /// A whole number from 0 to `limit`, also as people are shown it: `1,234,567`; nil for anything else.
  package static func parseGrouped<Number: FixedWidthInteger>(_ text: String, upTo limit: Number = .max)
    -> Number?
  {
    guard text.contains(",") else { return parse(text, upTo: limit) }
    let digits = text.split(separator: ",", omittingEmptySubsequences: false)
    guard digits.dropFirst().allSatisfy({ $0.utf8.count == 3 }), (1...3).contains(digits[0].utf8.count) else {
      return nil
    }
    return parse(digits.joined(), upTo: limit)
  }

  /// A number from 0 to `limit` with or without a fraction, `15` or `2.5`; nil for anything else. Digits stand on both
  /// sides of the point.
  package static func fraction(_ text: some StringProtocol, upTo limit: Double) -> Double? {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0 &- UInt8(ascii: "0") < 10 } }),
      let number = Double(String(text)), number <= limit
    else { return nil }
    return number
  }
}
