/// The text of a shared credentials or config file.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
enum ProfileFileParser {
  /// Settings by section. Section names lose surrounding and doubled white space, names of settings their
  /// capitals; the last of two settings counts. A nested setting (indented below one of their own that has no value)
  /// has both names, with a dot between them.
  ///
  /// Throws `CredentialError.Code.unreadable`, which names path and line but quotes nothing.
  static func parse(_ bytes: [UInt8], path: String) throws(CredentialError) -> [String: [String: String]] {
    var sections: [String: [String: String]] = [:]
    var section: String?
    var settingIndent: Int?
    // Above nested settings; nil where a value goes on instead.
    var parent: String?
    var lines = String(decoding: bytes, as: UTF8.self)
      .split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }[...]
    if let first = lines.first, first.unicodeScalars.first == "\u{feff}" {
      lines[lines.startIndex] = Substring(first.unicodeScalars.dropFirst())
    }
    for (number, line) in lines.enumerated() {
      let indent = line.prefix { $0 == " " || $0 == "\t" }.count
      let text = line.dropFirst(indent)
      guard let first = text.first, first != "#", first != ";" else { continue }
      func malformed() -> CredentialError {
        CredentialError(.unreadable, "\(path), line \(number + 1): neither a section nor a setting")
      }
      if first == "[" {
        guard let end = text.firstIndex(of: "]") else { throw malformed() }
        let name = text[text.index(after: text.startIndex)..<end]
          .split(whereSeparator: \.isWhitespace).joined(separator: " ")
        section = name
        sections[name, default: [:]].merge([:]) { _, new in new }
        settingIndent = nil
      } else if let settingIndent, indent > settingIndent {
        guard let section, let parent, let equals = text.firstIndex(of: "=") else { continue }
        let (name, value) = setting(text, equals)
        if !value.isEmpty { sections[section, default: [:]]["\(parent).\(name)"] = value }
      } else {
        guard let section, let equals = text.firstIndex(of: "=") else { throw malformed() }
        let (name, value) = setting(text, equals)
        if !value.isEmpty { sections[section, default: [:]][name] = value }
        parent = value.isEmpty ? name : nil
        settingIndent = indent
      }
    }
    return sections
  }

  private static func setting(_ line: Substring, _ equals: Substring.Index) -> (name: String, value: String) {
    (trimmed(line[..<equals]).lowercased(), trimmed(withoutComment(line[line.index(after: equals)...])))
  }

  /// A comment behind a value needs white space before its mark: keys may hold the mark itself.
  private static func withoutComment(_ text: Substring) -> Substring {
    var previous: Character = "x"
    for index in text.indices {
      if text[index] == "#" || text[index] == ";", previous.isWhitespace { return text[..<index] }
      previous = text[index]
    }
    return text
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text.drop(while: \.isWhitespace)
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}
