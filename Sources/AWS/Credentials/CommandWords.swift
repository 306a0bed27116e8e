/// Splits a command into its words as a shell would, without doing anything else that a shell does.
///
/// Reference: POSIX, Shell Command Language, 2.2 Quoting.
enum CommandWords {
  /// nil for a quote that is not closed, or a backslash at the end.
  static func split(_ text: String) -> [String]? {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var characters = text.makeIterator()
    while let character = characters.next() {
      switch (quote, character) {
      case (nil, " "), (nil, "\t"), (nil, "\n"):
        if let done = word { words.append(done) }
        word = nil
      case (nil, "'"), (nil, "\""):
        quote = character
        word = word ?? ""
      case (nil, "\\"):
        guard let next = characters.next() else { return nil }
        word = (word ?? "") + String(next)
      case ("\"", "\\"):
        guard let next = characters.next() else { return nil }
        // In double quotes a backslash is one, unless it takes away the meaning of what follows.
        word = (word ?? "") + (next == "\"" || next == "\\" ? "" : "\\") + String(next)
      case (let open?, _) where character == open: quote = nil
      default: word = (word ?? "") + String(character)
      }
    }
    if let word { words.append(word) }
    return quote == nil ? words : nil
  }
}
