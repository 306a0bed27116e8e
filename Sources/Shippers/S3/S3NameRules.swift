import Base

/// Rules for names of buckets, keys and objects.
extension Rule where Value == String {
  /// Reference: Amazon S3 User Guide, "General purpose bucket naming rules".
  static var bucket: Rule {
    Rule(
      allowed: "an S3 bucket name (3 to 63 lower-case letters, digits, dots and hyphens)",
      placeholder: "bucket",
      parse: { text throws(BadText) in
        let bytes = text.utf8
        guard (3...63).contains(bytes.count) else { throw BadText("it has \(bytes.count) bytes") }
        guard bytes.allSatisfy({ Text.isLabelByte($0) || $0 == UInt8(ascii: ".") }) else { throw BadText() }
        let ends = [bytes.first, bytes.last]
        guard !ends.contains(UInt8(ascii: "-")), !ends.contains(UInt8(ascii: ".")) else {
          throw BadText("it must begin and end with a letter or digit")
        }
        guard !text.contains("..") else { throw BadText("it has two dots in a row") }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count != 4 || !labels.allSatisfy(Text.isDigits) else {
          throw BadText("it looks like an IP address")
        }
        for prefix in ["xn--", "sthree-", "amzn-s3-demo-"] where text.hasPrefix(prefix) {
          throw BadText("names beginning with \(prefix) are reserved")
        }
        for suffix in ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"] where text.hasSuffix(suffix) {
          throw BadText("names ending in \(suffix) are reserved")
        }
        return text
      })
  }

  /// A folder of object keys; slashes at its ends are dropped. Parts that a file system would read in its
  /// own way are refused, because local sinks use the same keys as paths.
  static var keyPrefix: Rule {
    Rule(
      allowed: "a folder such as batch_jsonl or a/b (at most 512 bytes; no empty, . or .. parts)",
      placeholder: "folder",
      parse: { text throws(BadText) in
        if text.unicodeScalars.contains(where: Text.isControl) { throw BadText("it has a control character") }
        guard text.utf8.count <= 512 else { throw BadText("it has \(text.utf8.count) bytes") }
        var folder = Substring(text)
        while folder.first == "/" { folder.removeFirst() }
        while folder.last == "/" { folder.removeLast() }
        guard !folder.isEmpty else { return "" }
        for part in folder.split(separator: "/", omittingEmptySubsequences: false) {
          if ["", ".", ".."].contains(part) { throw BadText("it has the part '\(part)'") }
        }
        return String(folder)
      })
  }

  /// The beginning of each object's own name.
  static var fileName: Rule {
    Rule(
      allowed: "the beginning of a file name (1 to 128 bytes, without slashes)", placeholder: "name",
      parse: { text throws(BadText) in
        guard (1...128).contains(text.utf8.count), !text.contains("/"),
          !text.unicodeScalars.contains(where: Text.isControl)
        else { throw BadText() }
        return text
      })
  }
}
