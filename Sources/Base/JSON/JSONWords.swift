extension JSONText {
  /// An object whose members are all plain texts, in words: `bucket b, prefix p`. Any other text stays as it is.
  package static func words(_ object: String) -> String {
    var object = object
    return object.withUTF8 { bytes in members(bytes) } ?? object
  }

  private static func members(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
    var scanner = JSONScanner(bytes)
    var words: [String] = []
    do throws(JSONError) {
      var container = try scanner.enterObject()
      while let key = try scanner.nextKey(&container) {
        let value = try scanner.skipValue()
        guard value.kind == .string, !value.hasEscapes, !key.hasEscapes else { return nil }
        let texts = [key, value].map { String(decoding: bytes[$0.contents], as: UTF8.self) }
        words.append(texts.joined(separator: " "))
      }
      try scanner.finish()
    } catch {
      return nil
    }
    return words.isEmpty ? nil : words.joined(separator: ", ")
  }
}
