import AWS
import Base

/// Rules for names of buckets, keys and objects.
extension Rule where Value == String {
  /// A bucket, or an access point by its alias or ARN.
  ///
  /// Reference: Amazon S3 User Guide, "General purpose bucket naming rules", "Referencing access points".
  static var bucket: Rule {
    Rule(
      allowed:
        "an S3 bucket name (3 to 63 lower-case letters, digits, dots and hyphens), or the alias or ARN of "
        + "an access point",
      placeholder: "bucket",
      parse: { text throws(BadText) in
        if text.hasPrefix("arn:") {
          guard AccessPoint(arn: text) != nil else { throw BadText(arnProblem(text)) }
          return text
        }
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
        if let problem = suffixProblem(text) { throw BadText(problem) }
        return text
      })
  }

  /// Names that AWS gives to what is no bucket, or no usual one. Those that end in `-s3alias` stand for an access
  /// point, and for its bucket in every request that is made here.
  private static func suffixProblem(_ name: String) -> String? {
    let kinds: [(suffix: String, what: String)] = [
      ("--ol-s3", "it is an Object Lambda access point, which changes what is read: name its bucket"),
      (".mrap", "it is a multi-region access point, which wants other signatures: name one of its buckets"),
      ("--x-s3", "it is a directory bucket (S3 Express), which wants sessions: use a general purpose bucket"),
      ("--xa-s3", "it is an access point of a directory bucket (S3 Express), which wants sessions"),
      ("--table-s3", "it is a table bucket, which takes no objects"),
    ]
    return kinds.first { name.hasSuffix($0.suffix) }?.what
  }

  private static func arnProblem(_ arn: String) -> String {
    if arn.hasSuffix(".mrap") {
      return "it is a multi-region access point, which wants other signatures: name one of its buckets"
    }
    if arn.hasPrefix("arn:aws:s3:::") { return "it is the ARN of a bucket: give the bucket's name" }
    return "it is not the ARN of an access point (arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME)"
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
