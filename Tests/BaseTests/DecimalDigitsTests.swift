import Base
import Testing

@Suite struct DecimalDigitsTests {
  @Test(arguments: [
    ("0", 0), ("7", 7), ("007", 7), ("255", 255), ("9223372036854775807", Int.max), ("", nil), ("-1", nil),
    ("+1", nil), (" 1", nil), ("1 ", nil), ("1\n", nil), ("1.0", nil), ("1e3", nil), ("0x10", nil),
    ("1_000", nil),
    ("٣", nil), ("９", nil), ("1\u{0}", nil), ("9223372036854775808", nil), ("99999999999999999999", nil),
  ])
  func `only digits are a number`(text: String, number: Int?) {
    #expect(DecimalDigits.parse(text, upTo: .max) == number)
    #expect(DecimalDigits.parse(Array(text.utf8), upTo: .max) == number)
  }

  @Test func `what is above the bound is none`() {
    #expect(DecimalDigits.parse("65535", upTo: 65_535) == 65_535)
    #expect(DecimalDigits.parse("65536", upTo: 65_535) == nil)
    #expect(DecimalDigits.parse("0", upTo: 0) == 0)
  }
}
