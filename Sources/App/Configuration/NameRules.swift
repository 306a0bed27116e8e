/// Rules for names that another system defines.
extension Rule where Value == String {
  /// Any text without control characters.
  static func text(_ allowed: String, _ placeholder: String) -> Rule {
    Rule(
      allowed: allowed, placeholder: placeholder,
      parse: { text throws(Refusal) in
        if text.unicodeScalars.contains(where: Text.isControl) {
          throw Refusal("it has a control character")
        }
        return text
      })
  }

  /// A label that becomes part of a host name, as in `ap-southeast-1`.
  static var region: Rule {
    Rule(
      allowed: "a region such as ap-southeast-1 (lower-case letters, digits and hyphens)",
      placeholder: "region",
      parse: { text throws(Refusal) in
        guard (1...63).contains(text.utf8.count), text.utf8.allSatisfy(Text.isLabelByte),
          text.utf8.first != UInt8(ascii: "-"), text.utf8.last != UInt8(ascii: "-")
        else { throw Refusal() }
        return text
      })
  }

  /// Reference: Amazon S3 User Guide, "General purpose bucket naming rules".
  static var bucket: Rule {
    Rule(
      allowed: "an S3 bucket name (3 to 63 lower-case letters, digits, dots and hyphens)",
      placeholder: "bucket",
      parse: { text throws(Refusal) in
        let bytes = text.utf8
        guard (3...63).contains(bytes.count) else { throw Refusal("it has \(bytes.count) bytes") }
        guard bytes.allSatisfy({ Text.isLabelByte($0) || $0 == UInt8(ascii: ".") }) else { throw Refusal() }
        let ends = [bytes.first, bytes.last]
        guard !ends.contains(UInt8(ascii: "-")), !ends.contains(UInt8(ascii: ".")) else {
          throw Refusal("it must begin and end with a letter or digit")
        }
        guard !text.contains("..") else { throw Refusal("it has two dots in a row") }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count != 4 || !labels.allSatisfy(Text.isDigits) else {
          throw Refusal("it looks like an IP address")
        }
        for prefix in ["xn--", "sthree-", "amzn-s3-demo-"] where text.hasPrefix(prefix) {
          throw Refusal("names beginning with \(prefix) are reserved")
        }
        for suffix in ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"] where text.hasSuffix(suffix) {
          throw Refusal("names ending in \(suffix) are reserved")
        }
        return text
      })
  }

  /// Reference: Amazon DynamoDB Developer Guide, "Naming rules".
  static var table: Rule {
    Rule(
      allowed: "a DynamoDB table name (3 to 255 letters, digits, underscores, hyphens and dots)",
      placeholder: "table",
      parse: { text throws(Refusal) in
        guard (3...255).contains(text.utf8.count),
          text.utf8.allSatisfy({ Text.isLetterOrDigit($0) || "_-.".utf8.contains($0) })
        else { throw Refusal() }
        return text
      })
  }

  /// Reference: AWS Secrets Manager API Reference, "CreateSecret", Name; or the secret's ARN.
  static var secretName: Rule {
    Rule(
      allowed: "the name or ARN of a secret (letters, digits and /_+=.@:!-)", placeholder: "name",
      parse: { text throws(Refusal) in
        guard (1...2048).contains(text.utf8.count),
          text.utf8.allSatisfy({ Text.isLetterOrDigit($0) || "/_+=.@:!-".utf8.contains($0) })
        else { throw Refusal() }
        return text
      })
  }

  /// A folder of object keys; slashes at its ends are dropped. Parts that a file system would read in its
  /// own way are refused, because local sinks use the same keys as paths.
  static var keyPrefix: Rule {
    Rule(
      allowed: "a folder such as batch_jsonl or a/b (at most 512 bytes; no empty, . or .. parts)",
      placeholder: "folder",
      parse: { text throws(Refusal) in
        if text.unicodeScalars.contains(where: Text.isControl) { throw Refusal("it has a control character") }
        guard text.utf8.count <= 512 else { throw Refusal("it has \(text.utf8.count) bytes") }
        var folder = Substring(text)
        while folder.first == "/" { folder.removeFirst() }
        while folder.last == "/" { folder.removeLast() }
        guard !folder.isEmpty else { return "" }
        for part in folder.split(separator: "/", omittingEmptySubsequences: false) {
          if ["", ".", ".."].contains(part) { throw Refusal("it has the part '\(part)'") }
        }
        return String(folder)
      })
  }

  /// The beginning of each object's own name.
  static var fileName: Rule {
    Rule(
      allowed: "the beginning of a file name (1 to 128 bytes, without slashes)", placeholder: "name",
      parse: { text throws(Refusal) in
        guard (1...128).contains(text.utf8.count), !text.contains("/"),
          !text.unicodeScalars.contains(where: Text.isControl)
        else { throw Refusal() }
        return text
      })
  }
}
