/// The number of columns that a terminal gives a text.
enum DisplayWidth {
  static func of(_ text: some StringProtocol) -> Int {
    text.reduce(0) { $0 + columns($1) }
  }

  /// The text in at most `width` columns, with an ellipsis where something was cut off.
  static func truncated(_ text: String, to width: Int) -> String {
    guard of(text) > width else { return text }
    guard width > 0 else { return "" }
    var kept = ""
    var used = 0
    for character in text {
      let next = columns(character)
      guard used + next <= width - 1 else { break }
      kept.append(character)
      used += next
    }
    return kept + "…"
  }

  /// The text in lines of at most `width` columns, broken between words; a word that is longer is broken where it
  /// must. What does not fit into the lines is cut off with an ellipsis. At least one line.
  static func wrapped(_ text: String, to width: Int, atMost lines: Int) -> [String] {
    guard of(text) > width, width > 0 else { return [truncated(text, to: width)] }
    var found: [String] = []
    var rest = Substring(text)
    while !rest.isEmpty, found.count < lines - 1, of(rest) > width {
      let most = fitting(rest, width)
      let line = most.endIndex < rest.endIndex && rest[most.endIndex] == " " ? most : most.uptoLastWord
      found.append(String(line))
      rest = rest[line.endIndex...].drop { $0 == " " }
    }
    return found + (rest.isEmpty ? [] : [truncated(String(rest), to: width)])
  }

  /// The longest beginning that takes at most `width` columns, but for one character at least.
  private static func fitting(_ text: Substring, _ width: Int) -> Substring {
    var used = 0
    var end = text.startIndex
    while end < text.endIndex {
      used += columns(text[end])
      if used > width, end > text.startIndex { break }
      end = text.index(after: end)
    }
    return text[..<end]
  }

  static func padded(_ text: String, to width: Int, right: Bool = false) -> String {
    let blanks = String(repeating: " ", count: max(0, width - of(text)))
    return right ? blanks + text : text + blanks
  }

  // One or two columns a character. Reference: Unicode Standard Annex #11, wide and fullwidth ranges.
  private static func columns(_ character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first else { return 0 }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
      0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF,
      0x20000...0x3FFFD:
      return 2
    default:
      return 1
    }
  }
}

extension Substring {
  /// Without the word at its end that goes on behind it; whole if it is one word.
  fileprivate var uptoLastWord: Substring {
    guard let blank = lastIndex(of: " "), blank > startIndex else { return self }
    return self[..<blank]
  }
}
