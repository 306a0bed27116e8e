/// Strings of JSON as text.
public enum JSONString {
  /// What the inside of a valid string token stands for, as UTF-8. A surrogate without its partner becomes
  /// U+FFFD.
  public static func decode(_ contents: UnsafeBufferPointer<UInt8>) -> [UInt8] {
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
      case UInt8(ascii: "u"): append(scalar(contents, &index), to: &out)
      default: out.append(escape)
      }
    }
    return out
  }

  /// Reads the digits after `\u`, and the second half of a pair if one follows.
  private static func scalar(_ contents: UnsafeBufferPointer<UInt8>, _ index: inout Int) -> Unicode.Scalar {
    let unit = codeUnit(contents, &index)
    guard unit & 0xFC00 == 0xD800 else { return Unicode.Scalar(unit) ?? "\u{FFFD}" }
    guard index + 6 <= contents.count, contents[index] == UInt8(ascii: "\\"),
      contents[index + 1] == UInt8(ascii: "u")
    else { return "\u{FFFD}" }
    var after = index + 2
    let second = codeUnit(contents, &after)
    guard second & 0xFC00 == 0xDC00 else { return "\u{FFFD}" }
    index = after
    return Unicode.Scalar(0x10000 + (unit & 0x3FF) << 10 + second & 0x3FF) ?? "\u{FFFD}"
  }

  private static func codeUnit(_ contents: UnsafeBufferPointer<UInt8>, _ index: inout Int) -> UInt32 {
    defer { index += 4 }
    return contents[index..<index + 4].reduce(0) { $0 << 4 | UInt32(HexDigit.value($1) ?? 0) }
  }

  private static func append(_ scalar: Unicode.Scalar, to out: inout [UInt8]) {
    out.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
  }
}
