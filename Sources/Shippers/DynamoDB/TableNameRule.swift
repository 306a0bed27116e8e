import Base

extension Rule where Value == String {
  /// Reference: Amazon DynamoDB Developer Guide, "Naming rules".
  static var table: Rule {
    Rule(
      allowed: "a DynamoDB table name (3 to 255 letters, digits, underscores, hyphens and dots)",
      placeholder: "table",
      parse: { text throws(BadText) in
        guard (3...255).contains(text.utf8.count),
          text.utf8.allSatisfy({ Text.isLetterOrDigit($0) || "_-.".utf8.contains($0) })
        else { throw BadText() }
        return text
      })
  }
}
