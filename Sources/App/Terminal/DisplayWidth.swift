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

  /// The text in lines of at most `width` columns, broken between words alone: a word that is longer has a line of
  /// its own, which is too long. At least one line.
  ///
  /// - Parameters:
  ///   - indent: columns in front of each line but the first, which keeps its own blanks.
  ///   - lines: the most of them; what does not fit is left out, with an ellipsis in its place.
  static func wrapped(_ text: String, to width: Int, indent: Int = 0, atMost lines: Int = .max) -> [String] {
    guard of(text) > width else { return [text] }
    let margin = String(repeating: " ", count: indent < width ? indent : 0)
    var line = String(text.prefix { $0 == " " })
    var isEmpty = true
    var found: [String] = []
    for word in text.split(separator: " ") {
      let longer = line + (isEmpty ? "" : " ") + word
      if isEmpty || of(longer) <= width {
        line = longer
      } else if found.count == lines - 1 {
        return found + [of(line) + 2 <= width ? line + " …" : line + "…"]
      } else {
        found.append(line)
        line = margin + word
      }
      isEmpty = false
    }
    return found + [line]
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
