/// The little JSON that is written by hand: strings, and lists of them.
///
/// Reference: RFC 8259, section 7
package enum JSONText {
  package static func array(_ texts: [String]) -> String {
    "[" + texts.map(string).joined(separator: ",") + "]"
  }

  /// In quotes; characters beyond ASCII stay as they are.
  package static func string(_ text: String) -> String {
    var result = ""
    append(text, to: &result)
    return result
  }

  /// - Parameter isForPeople: line breaks and tabs have their short forms, and whatever a terminal might act upon
  ///   is escaped, too. Else the text is the one that logs have always held.
  package static func append(_ text: String, to result: inout String, isForPeople: Bool = false) {
    result += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n" where isForPeople: result += "\\n"
      case "\r" where isForPeople: result += "\\r"
      case "\t" where isForPeople: result += "\\t"
      case _ where scalar.value < 0x20 || isForPeople && Text.isUnprintable(scalar):
        for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
          let digits = String(unit, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      default: result.unicodeScalars.append(scalar)
      }
    }
    result += "\""
  }
}
