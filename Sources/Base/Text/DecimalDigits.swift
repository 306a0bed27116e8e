/// Whole numbers as they come from outside: decimal digits, no sign, no blank, nothing else, and bounded.
package enum DecimalDigits {
  /// - Parameter most: the greatest number that is taken.
  /// - Returns: `nil` for anything else, an empty text and a greater number too.
  package static func parse(_ bytes: some Collection<UInt8>, upTo most: Int) -> Int? {
    guard !bytes.isEmpty else { return nil }
    var value = 0
    for byte in bytes {
      let digit = byte &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      let (shifted, overflows) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflowsToo) = shifted.addingReportingOverflow(Int(digit))
      guard !overflows, !overflowsToo, sum <= most else { return nil }
      value = sum
    }
    return value
  }

  package static func parse(_ text: some StringProtocol, upTo most: Int) -> Int? {
    parse(text.utf8, upTo: most)
  }
}
