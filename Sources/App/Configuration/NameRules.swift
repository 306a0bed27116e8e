import Base

/// Rules for names that another system defines.
extension Rule where Value == String {
  /// Any text without control characters.
  static func text(_ allowed: String, _ placeholder: String) -> Rule {
    Rule(
      allowed: allowed, placeholder: placeholder,
      parse: { text throws(BadText) in
        if text.unicodeScalars.contains(where: Text.isControl) {
          throw BadText("it has a control character")
        }
        return text
      })
  }

  /// A label that becomes part of a host name, as in `ap-southeast-1`.
  static var region: Rule {
    Rule(
      allowed: "a region such as ap-southeast-1 (lower-case letters, digits and hyphens)",
      placeholder: "region",
      parse: { text throws(BadText) in
        guard (1...63).contains(text.utf8.count), text.utf8.allSatisfy(Text.isLabelByte),
          text.utf8.first != UInt8(ascii: "-"), text.utf8.last != UInt8(ascii: "-")
        else { throw BadText() }
        return text
      })
  }

  /// Reference: AWS Secrets Manager API Reference, "CreateSecret", Name; or the secret's ARN.
  static var secretName: Rule {
    Rule(
      allowed: "the name or ARN of a secret (letters, digits and /_+=.@:!-)", placeholder: "name",
      parse: { text throws(BadText) in
        guard (1...2048).contains(text.utf8.count),
          text.utf8.allSatisfy({ Text.isLetterOrDigit($0) || "/_+=.@:!-".utf8.contains($0) })
        else { throw BadText() }
        return text
      })
  }
}
