import Base

/// One answer to ListObjectsV2.
///
/// Reference: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
package struct S3Page: Sendable, Equatable {
  package var keys: [String]
  /// For the next page; `nil` if this is the last.
  package var next: String?
  package var answer: Answer

  package init(keys: [String], next: String?, answer: Answer = Answer(date: nil)) {
    self.keys = keys
    self.next = next
    self.answer = answer
  }

  /// `nil` for what is no whole answer: a page cut off must not pass for the end of the list.
  init?(xml: String, answer: Answer) {
    guard xml.firstRange(of: "</ListBucketResult>") != nil else { return nil }
    // XML cannot hold every byte that a key may have, so keys are asked for encoded; a server may not know how.
    let isEncoded = XMLText.element("EncodingType", in: xml) == "url"
    var keys: [String] = []
    for entry in XMLText.contents(of: "Contents", in: xml) {
      guard let key = XMLText.element("Key", in: String(entry)) else { return nil }
      keys.append(isEncoded ? Self.decoded(key) : key)
    }
    self.keys = keys
    next = nil
    if XMLText.element("IsTruncated", in: xml) == "true" {
      guard let token = XMLText.element("NextContinuationToken", in: xml) else { return nil }
      next = token
    }
    self.answer = answer
  }

  /// As in a form: a space may come as `+`.
  private static func decoded(_ key: String) -> String {
    let bytes = key.utf8.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: " ") : $0 }
    return String(decoding: PercentEncoding.decoded(bytes[...]), as: UTF8.self)
  }
}
