import Base
import Testing

@Suite struct TextTests {
  /// Marks of direction (Unicode Standard Annex #9), C0 and C1 controls, line separators, and what has no width.
  static let unprintable: [ClosedRange<UInt32>] = [
    0...0x1F, 0x7F...0x9F, 0xAD...0xAD, 0x61C...0x61C, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x2064,
    0x2066...0x206F, 0xFEFF...0xFEFF, 0xFFF9...0xFFFB, 0xE0001...0xE0001, 0xE0020...0xE007F,
  ]

  @Test func `what a terminal acts upon or does not show is written as an escape`() throws {
    for value in Self.unprintable.flatMap({ Array($0) }) {
      let scalar = try #require(Unicode.Scalar(value))
      #expect(Text.isUnprintable(scalar), "\(String(value, radix: 16))")
      let line = Text.oneLine("a\(scalar)b")
      #expect(line.unicodeScalars.allSatisfy { $0.isASCII && $0.value >= 0x20 }, "\(line)")
    }
    #expect(Text.oneLine("a\u{202E}b\u{2069}") == #"a\u{202e}b\u{2069}"#)
    #expect(Text.oneLine(bytes: "a\u{202E}b".utf8, limit: 20) == "a b")
  }

  @Test func `letters of any language, signs and pictures stay`() {
    let text = "Größe 币安 → … █░ ½ € עברית العربية 😀"
    #expect(Text.oneLine(text) == text)
  }

  @Test func `JSON for people has escapes for them that are still JSON`() {
    var text = ""
    JSONText.append("\u{202E}\u{E0001}é", to: &text, isForPeople: true)
    #expect(text == #""\u202e\udb40\udc01é""#)
    #expect(JSONText.string("\u{202E}") == "\"\u{202E}\"", "what logs hold is as it was")
  }

  @Test(arguments: [
    (
      #"{"endpoint":"https://s3.eu-west-1.amazonaws.com","bucket":"b","prefix":"p/q"}"#,
      "endpoint https://s3.eu-west-1.amazonaws.com, bucket b, prefix p/q"
    ),
    (#"{"folder":"/home/me/out"}"#, "folder /home/me/out"), ("{}", "{}"),
    (#"{"folder":7}"#, #"{"folder":7}"#),
    (#"{"folder":"a\u0301"}"#, #"{"folder":"a\u0301"}"#), (#"{"folder":"a"} b"#, #"{"folder":"a"} b"#),
    ("[", "["),
  ])
  func `an object of texts is told in words, and what is none as it is`(object: String, words: String) {
    #expect(JSONText.words(object) == words)
  }
}
