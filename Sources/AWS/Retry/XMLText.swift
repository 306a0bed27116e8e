/// A reader of the little XML that S3 and STS send: the text of an element without children.
enum XMLText {
  /// The text of the first element of that name, its entities resolved; nil when there is none, or no end to it.
  static func element(_ name: String, in xml: String) -> String? {
    guard let start = xml.firstRange(of: "<\(name)>"),
      let end = xml[start.upperBound...].firstRange(of: "</\(name)>")
    else { return nil }
    return unescaped(xml[start.upperBound..<end.lowerBound])
  }

  /// The contents of each element of that name, as they stand.
  static func contents(of name: String, in xml: String) -> [Substring] {
    let (opening, closing) = ("<\(name)>", "</\(name)>")
    var contents: [Substring] = []
    var rest = xml[...]
    while let start = rest.firstRange(of: opening),
      let end = rest[start.upperBound...].firstRange(of: closing)
    {
      contents.append(rest[start.upperBound..<end.lowerBound])
      rest = rest[end.upperBound...]
    }
    return contents
  }

  private static func unescaped(_ text: Substring) -> String {
    var result = String(text)
    for (entity, character) in [
      ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&#34;", "\""),
      ("&amp;", "&"),
    ] {
      result = result.replacing(entity, with: character)
    }
    return result
  }
}
