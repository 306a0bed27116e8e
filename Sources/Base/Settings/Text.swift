/// Small questions about text that several rules ask.
package enum Text {
  package static func trimmed(_ text: String) -> Substring {
    var rest = Substring(text)
    while let first = rest.first, first.isWhitespace { rest.removeFirst() }
    while let last = rest.last, last.isWhitespace { rest.removeLast() }
    return rest
  }

  package static func isDigits(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  package static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      true
    default: false
    }
  }

  /// Lower-case letters, digits and hyphens.
  package static func isLabelByte(_ byte: UInt8) -> Bool {
    isLetterOrDigit(byte) && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      || byte == UInt8(ascii: "-")
  }

  package static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028
      || scalar.value == 0x2029
  }

  /// A character that a terminal might act upon, or of which it shows nothing: controls, line separators, marks of
  /// direction and other format characters.
  ///
  /// Reference: Unicode Standard Annex #9 (direction), The Unicode Standard, section 23.2 (format characters).
  package static func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.value < 0x7F { return scalar.value < 0x20 }
    return switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }

  /// The text on one line: what is not printable as escapes, at most `limit` characters.
  package static func oneLine(_ text: some StringProtocol, limit: Int = 200) -> String {
    var line = ""
    var length = 0
    for scalar in text.unicodeScalars {
      guard length < limit else { return line + "…" }
      length += 1
      switch scalar {
      case "\n": line += "\\n"
      case "\r": line += "\\r"
      case "\t": line += "\\t"
      case _ where isUnprintable(scalar): line += "\\u{\(String(scalar.value, radix: 16))}"
      default: line.unicodeScalars.append(scalar)
      }
    }
    return line
  }

  /// The beginning of a stranger's words on one line, at most `limit` bytes: what is not printable, which is
  /// layout there, becomes a space, and what is not UTF-8 becomes U+FFFD.
  package static func oneLine(bytes: some Collection<UInt8>, limit: Int) -> String {
    let text = String(decoding: bytes.prefix(limit), as: UTF8.self)
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isUnprintable($0) ? " " : $0 }))
  }

  /// `a, b or c`.
  package static func alternatives(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.joined() }
    return "\(words.dropLast().joined(separator: ", ")) or \(last)"
  }

  /// `a, b and 3 more`: the first few of a long list, each on one line and not too long.
  package static func list(_ names: [String], limit: Int) -> String {
    let shown = names.prefix(limit).map { oneLine($0, limit: 60) }.joined(separator: ", ")
    return names.count > limit ? "\(shown) and \(Figures.grouped(names.count - limit)) more" : shown
  }
}
