/// JSON text as Python's `json.dumps(…, separators=(",", ":"))` writes it, which the old pipeline's readers know.
package enum PythonJSON {
  /// Appends a text as a string with quotes.
  package static func appendString(_ text: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    appendCharacters(text, to: &out)
    out.append(UInt8(ascii: "\""))
  }

  /// A text as a string with quotes.
  package static func string(_ text: String) -> String {
    var out: [UInt8] = []
    var text = text
    text.withUTF8 { appendString($0, to: &out) }
    return String(decoding: out, as: UTF8.self)
  }

  /// Appends a string token of valid JSON, its escapes brought into Python's form.
  package static func appendToken(
    _ token: JSONValue, of text: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]
  ) {
    let contents = UnsafeBufferPointer(rebasing: text[token.contents])
    guard token.hasEscapes else { return appendString(contents, to: &out) }
    out.append(UInt8(ascii: "\""))
    var index = 0
    while index < contents.count {
      if contents[index] == UInt8(ascii: "\\") {
        appendUnescaped(contents, &index, to: &out)
      } else {
        let end = contents[index...].firstIndex(of: UInt8(ascii: "\\")) ?? contents.count
        appendCharacters(UnsafeBufferPointer(rebasing: contents[index..<end]), to: &out)
        index = end
      }
    }
    out.append(UInt8(ascii: "\""))
  }

  /// Appends valid JSON without white space between its tokens and with non-ASCII characters as `\uXXXX`;
  /// everything else stays as it is.
  package static func appendCompact(_ text: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
    var index = 0
    var isInString = false
    while index < text.count {
      let start = index
      if isInString {
        while index < text.count, text[index] < 0x80, text[index] != UInt8(ascii: "\"") {
          index += text[index] == UInt8(ascii: "\\") ? 2 : 1
        }
      } else {
        while index < text.count, !isWhiteSpace(text[index]), text[index] != UInt8(ascii: "\"") { index += 1 }
      }
      out.append(contentsOf: text[start..<min(index, text.count)])
      guard index < text.count else { return }
      if text[index] == UInt8(ascii: "\"") {
        isInString.toggle()
        out.append(UInt8(ascii: "\""))
        index += 1
      } else if isInString {
        appendEscaped(decodeScalar(text, &index), to: &out)
      } else {
        index += 1
      }
    }
  }

  /// Valid JSON without white space between its tokens, in ASCII.
  package static func compact(_ text: String) -> String {
    var out: [UInt8] = []
    var text = text
    text.withUTF8 { appendCompact($0, to: &out) }
    return String(decoding: out, as: UTF8.self)
  }

  /// Appends an integer.
  package static func appendInteger(_ value: Int64, to out: inout [UInt8]) {
    var magnitude = value.magnitude
    // As long as -9223372036854775808.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { text in
      var start = text.count
      repeat {
        start -= 1
        text[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude % 10)
        magnitude /= 10
      } while magnitude > 0
      if value < 0 {
        start -= 1
        text[start] = UInt8(ascii: "-")
      }
      out.append(contentsOf: text[start...])
    }
  }

  // MARK: Characters

  private static func isWhiteSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
  }

  private static func appendCharacters(_ text: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
    var index = 0
    while index < text.count {
      let start = index
      index = PlainText.end(in: text, from: index)
      out.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<index]))
      if index < text.count { appendEscaped(decodeScalar(text, &index), to: &out) }
    }
  }

  /// Takes one escape sequence from valid JSON and appends what it stands for in Python's form. A surrogate
  /// without its partner stays one, as in Python.
  private static func appendUnescaped(
    _ text: UnsafeBufferPointer<UInt8>, _ index: inout Int, to out: inout [UInt8]
  ) {
    let escape = text[index + 1]
    index += 2
    switch escape {
    case UInt8(ascii: "b"): appendEscaped(8, to: &out)
    case UInt8(ascii: "f"): appendEscaped(12, to: &out)
    case UInt8(ascii: "n"): appendEscaped(10, to: &out)
    case UInt8(ascii: "r"): appendEscaped(13, to: &out)
    case UInt8(ascii: "t"): appendEscaped(9, to: &out)
    case UInt8(ascii: "u"):
      var unit: UInt32 = 0
      for digit in text[index..<index + 4] { unit = unit << 4 | UInt32(HexDigit.value(digit) ?? 0) }
      index += 4
      if unit < 0x80, PlainText.isPlain(UInt8(unit)) {
        out.append(UInt8(unit))
      } else {
        appendEscaped(unit, to: &out)
      }
    default:
      // A quote, a backslash or a slash: of these only the slash is plain.
      if PlainText.isPlain(escape) { out.append(escape) } else { appendEscaped(UInt32(escape), to: &out) }
    }
  }

  private static func appendEscaped(_ scalar: UInt32, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "\\"))
    switch scalar {
    case 0x22, 0x5C: out.append(UInt8(scalar))
    case 8: out.append(UInt8(ascii: "b"))
    case 9: out.append(UInt8(ascii: "t"))
    case 10: out.append(UInt8(ascii: "n"))
    case 12: out.append(UInt8(ascii: "f"))
    case 13: out.append(UInt8(ascii: "r"))
    case 0x10000...:
      appendUnit(UInt16(0xD800 + (scalar - 0x10000) >> 10), to: &out)
      out.append(UInt8(ascii: "\\"))
      appendUnit(UInt16(0xDC00 + (scalar - 0x10000) & 0x3FF), to: &out)
    default: appendUnit(UInt16(scalar), to: &out)
    }
  }

  private static func appendUnit(_ unit: UInt16, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "u"))
    for shift in stride(from: 12, through: 0, by: -4) {
      out.append(HexDigit.lower(UInt8(unit >> shift & 0xF)))
    }
  }

  /// One character of valid UTF-8; a byte that starts none stands for U+FFFD.
  private static func decodeScalar(_ text: UnsafeBufferPointer<UInt8>, _ index: inout Int) -> UInt32 {
    let lead = UInt32(text[index])
    let length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 0
    guard length > 0, index + length <= text.count else {
      index += 1
      return 0xFFFD
    }
    var scalar = length == 1 ? lead : lead & (0x7F >> UInt32(length))
    for offset in 1..<max(length, 1) { scalar = scalar << 6 | UInt32(text[index + offset] & 0x3F) }
    index += length
    return scalar
  }
}
