import Base

/// The numbers that DynamoDB can hold, by its own rules: 38 digits, and a magnitude from 1E-130 to below 1E+126.
///
/// What it would refuse is told before it is sent: a stream of such items would hold the table for all others.
///
/// Reference: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
enum DynamoNumber {
  typealias Bytes = Slice<UnsafeBufferPointer<UInt8>>

  private static let mostDigits = 38
  private static let powers = -130...125

  /// Whether a text is such a number: digits, perhaps with a minus before, a point within and an exponent behind
  /// them. Neither blanks nor anything else.
  static func holds(_ text: Bytes) -> Bool {
    var rest = text
    if rest.first == UInt8(ascii: "-") { rest.removeFirst() }
    let whole = takeDigits(&rest)
    guard !whole.isEmpty else { return false }
    var fraction = rest.prefix(0)
    if rest.first == UInt8(ascii: ".") {
      rest.removeFirst()
      fraction = takeDigits(&rest)
      guard !fraction.isEmpty else { return false }
    }
    guard let exponent = takeExponent(rest) else { return false }
    return holds(whole: whole, fraction: fraction, exponent: exponent)
  }

  private static func takeDigits(_ rest: inout Bytes) -> Bytes {
    let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    rest = rest[digits.endIndex...]
    return digits
  }

  /// - Returns: 0 without one; `nil` for something else.
  private static func takeExponent(_ text: Bytes) -> Int? {
    guard let mark = text.first else { return 0 }
    guard mark == UInt8(ascii: "e") || mark == UInt8(ascii: "E") else { return nil }
    var digits = Array(text.dropFirst().prefix(12))
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative || digits.first == UInt8(ascii: "+") { digits.removeFirst() }
    guard digits.count < 11, let power = DecimalDigits.parse(digits, upTo: 1_000_000) else { return nil }
    return isNegative ? -power : power
  }

  private static func holds(whole: Bytes, fraction: Bytes, exponent: Int) -> Bool {
    // The places of the first and the last digit that is none, counted from the first of all.
    var first: Int?
    var last = 0
    var place = 0
    func take(_ digits: Bytes) {
      for digit in digits {
        if digit != UInt8(ascii: "0") {
          first = first ?? place
          last = place
        }
        place += 1
      }
    }
    take(whole)
    take(fraction)
    guard let first else { return true }
    return last - first < mostDigits && powers.contains(whole.count - 1 - first + exponent)
  }
}
