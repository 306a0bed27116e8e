/// The control sequences of a picture that stands still on a terminal, beside what was on it before. Pure.
///
/// Reference: xterm's "Control Sequences" (DECSET 1049, 25), ECMA-48.
struct Screen {
  private var size: (width: Int, height: Int)?

  /// Gives back what was on the terminal before the first picture.
  static let leaving = "\u{1B}[0m\u{1B}[?25h\u{1B}[?1049l"
  private static let entering = "\u{1B}[?1049h\u{1B}[?25l"

  /// The bytes of a picture; the terminal is cleared for the first one, and for each other size.
  ///
  /// - Parameter lines: at most as many and as wide as there is room for.
  mutating func picture(_ lines: [String], width: Int, height: Int) -> String {
    var text = size == nil ? Self.entering : ""
    let isSame = size.map { $0 == (width, height) } ?? false
    size = (width, height)
    text += isSame ? "\u{1B}[H" : "\u{1B}[H\u{1B}[2J"
    // No line feed after the last one: it would move the picture.
    text += lines.map { $0 + "\u{1B}[K" }.joined(separator: "\n")
    return text + "\u{1B}[J"
  }
}
