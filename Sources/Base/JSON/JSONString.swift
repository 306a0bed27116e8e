/// Strings of JSON as text.
package enum JSONString {
  /// The text that the inside of a valid string token stands for, as UTF-8.
  ///
  /// - Returns: `nil` if it holds a surrogate without its partner, which no text can.
  ///
  /// Reference: RFC 8259, section 7.
  package static func text(_ contents: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    var isText = true
    let text = decode(contents) { isText = false }
    return isText ? text : nil
  }

  /// The same, with U+FFFD for each surrogate without its partner.
  package static func replacingLoneSurrogates(_ contents: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    decode(contents) {}
  }

  private static func decode(
    _ contents: UnsafeBufferPointer<UInt8>, loneSurrogate: () -> Void
  ) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(contents.count)
    var index = 0
    while index < contents.count {
      let byte = contents[index]
      guard byte == UInt8(ascii: "\\") else {
        out.append(byte)
        index += 1
        continue
      }
      let escape = contents[index + 1]
      index += 2
      switch escape {
      case UInt8(ascii: "b"): out.append(8)
      case UInt8(ascii: "f"): out.append(12)
      case UInt8(ascii: "n"): out.append(10)
      case UInt8(ascii: "r"): out.append(13)
      case UInt8(ascii: "t"): out.append(9)
      case UInt8(ascii: "u"):
        if let scalar = scalar(contents, &index) {
          out.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        } else {
          loneSurrogate()
          out.append(contentsOf: UTF8.encodedReplacementCharacter)
        }
      default: out.append(escape)
      }
    }
    return out
  }

  /// Reads the digits after `\u`, and the second half of a pair if one follows.
  private static func scalar(_ contents: UnsafeBufferPointer<UInt8>, _ index: inout Int) -> Unicode.Scalar? {
    let unit = codeUnit(contents, &index)
    guard unit & 0xFC00 == 0xD800 else { return Unicode.Scalar(unit) }
    guard index + 6 <= contents.count, contents[index] == UInt8(ascii: "\\"),
      contents[index + 1] == UInt8(ascii: "u")
    else { return nil }
    var after = index + 2
    let second = codeUnit(contents, &after)
    guard second & 0xFC00 == 0xDC00 else { return nil }
    index = after
    return Unicode.Scalar(0x10000 + (unit & 0x3FF) << 10 + second & 0x3FF)
  }

  private static func codeUnit(_ contents: UnsafeBufferPointer<UInt8>, _ index: inout Int) -> UInt32 {
    defer { index += 4 }
    return contents[index..<index + 4].reduce(0) { $0 << 4 | UInt32(HexDigit.value($1) ?? 0) }
  }
}
