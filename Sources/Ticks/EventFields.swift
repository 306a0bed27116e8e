import Base

/// The places of the members that matter in an event's JSON. Of a member that occurs twice the last counts, as
/// for Python's `json.loads`.
package struct EventFields: Sendable {
  /// `e`
  package private(set) var type: JSONValue?
  /// `E`
  package private(set) var time: JSONValue?
  /// `s`
  package private(set) var symbol: JSONValue?
  /// `c`, `o`, `h`, `l`, `v`, `q`
  package private(set) var close: JSONValue?
  package private(set) var open: JSONValue?
  package private(set) var high: JSONValue?
  package private(set) var low: JSONValue?
  package private(set) var volume: JSONValue?
  package private(set) var quoteVolume: JSONValue?
  /// `t`, `a`, `u`
  package private(set) var tradeID: JSONValue?
  package private(set) var aggregateTradeID: JSONValue?
  package private(set) var updateID: JSONValue?

  /// Walks over the members of the object in which the scanner stands, checking every byte.
  package init(_ scanner: inout JSONScanner) throws(JSONError) {
    var object = try scanner.enterObject()
    while let key = try scanner.nextKey(&object) {
      let value = try scanner.skipValue()
      guard let name = scanner.singleByteName(key) else { continue }
      set(name, value)
    }
  }

  /// Checks a whole payload, which must be one object.
  package init(payload: UnsafeBufferPointer<UInt8>) throws(JSONError) {
    var scanner = JSONScanner(payload)
    try self.init(&scanner)
    try scanner.finish()
  }

  private mutating func set(_ name: UInt8, _ value: JSONValue) {
    switch name {
    case UInt8(ascii: "e"): type = value
    case UInt8(ascii: "E"): time = value
    case UInt8(ascii: "s"): symbol = value
    case UInt8(ascii: "c"): close = value
    case UInt8(ascii: "o"): open = value
    case UInt8(ascii: "h"): high = value
    case UInt8(ascii: "l"): low = value
    case UInt8(ascii: "v"): volume = value
    case UInt8(ascii: "q"): quoteVolume = value
    case UInt8(ascii: "t"): tradeID = value
    case UInt8(ascii: "a"): aggregateTradeID = value
    case UInt8(ascii: "u"): updateID = value
    default: break
    }
  }
}

extension JSONScanner {
  /// The key's one ASCII character, written plainly or as an escape; `nil` for every other key.
  package func singleByteName(_ key: JSONValue) -> UInt8? {
    if !key.hasEscapes {
      return key.contents.count == 1 ? bytes[key.contents.lowerBound] : nil
    }
    guard key.contents.count == 6, bytes[key.contents.lowerBound + 1] == UInt8(ascii: "u") else { return nil }
    var unit: UInt16 = 0
    for index in key.contents.dropFirst(2) {
      guard let digit = HexDigit.value(bytes[index]) else { return nil }
      unit = unit << 4 | UInt16(digit)
    }
    return unit < 0x80 ? UInt8(unit) : nil
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// The bytes of a number token as an integer; `nil` for fractions, exponents and what does not fit.
  package func integer(_ value: JSONValue) -> Int64? {
    guard value.kind == .number else { return nil }
    var result: Int64 = 0
    var digits = value.range
    let isNegative = self[digits.lowerBound] == UInt8(ascii: "-")
    if isNegative { digits = digits.lowerBound + 1..<digits.upperBound }
    for index in digits {
      let digit = self[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      let (shifted, overflows) = result.multipliedReportingOverflow(by: 10)
      let (sum, overflowsToo) = shifted.subtractingReportingOverflow(Int64(digit))
      guard !overflows, !overflowsToo else { return nil }
      // Negative all the way, because there is one more negative number than positive ones.
      result = sum
    }
    if isNegative { return result }
    return result == .min ? nil : -result
  }
}
