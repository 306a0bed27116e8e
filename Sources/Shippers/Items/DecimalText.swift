import Base

/// Numbers as texts with digits, compared by their value: DynamoDB gives back `95896` for `95896.00000000`.
enum DecimalText {
  /// Equal numbers have equal forms: sign, digits without zeros at their ends, and a power of ten; `nil` for
  /// what is no number.
  static func canonical(_ text: String) -> String? {
    var rest = text.utf8[...]
    var sign = ""
    if let first = rest.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
      if first == UInt8(ascii: "-") { sign = "-" }
      rest.removeFirst()
    }
    var exponent = 0
    if let mark = rest.firstIndex(where: { $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E") }) {
      let power = rest[rest.index(after: mark)...]
      let isSigned = power.first == UInt8(ascii: "-") || power.first == UInt8(ascii: "+")
      guard let magnitude = DecimalDigits.parse(isSigned ? power.dropFirst() : power, upTo: 999_999) else {
        return nil
      }
      exponent = power.first == UInt8(ascii: "-") ? -magnitude : magnitude
      rest = rest[..<mark]
    }
    var digits: [UInt8] = []
    var isFraction = false
    for byte in rest {
      if byte == UInt8(ascii: "."), !isFraction {
        isFraction = true
      } else if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
        digits.append(byte)
        if isFraction { exponent -= 1 }
      } else {
        return nil
      }
    }
    guard !digits.isEmpty else { return nil }
    let zero = UInt8(ascii: "0")
    while digits.last == zero {
      digits.removeLast()
      exponent += 1
    }
    let significant = digits.drop { $0 == zero }
    guard !significant.isEmpty else { return "0" }
    return "\(sign)\(String(decoding: significant, as: UTF8.self))e\(exponent)"
  }
}
