import Base
import Testing

@Suite struct DecimalDigitsTests {
  @Test(arguments: [("0", 0), ("7", 7), ("007", 7), ("599", 599), ("9223372036854775807", Int.max)])
  func `digits are a number`(_ text: String, _ number: Int) {
    #expect(DecimalDigits.parse(text, upTo: Int.max) == number)
    #expect(DecimalDigits.parse(Array(text.utf8), upTo: Int.max) == number)
  }

  @Test(arguments: [
    "", "-12", "+10", "-0", " 1", "1 ", "1\n", "0x10", "1e3", "1.0", "1_000", "1,000", "nan", "inf", "١", "１",
    "9223372036854775808",
    "99999999999999999999999999", "\0", "1\0",
  ])
  func `anything else is none`(_ text: String) {
    #expect(DecimalDigits.parse(text, upTo: Int.max) == nil)
    #expect(DecimalDigits.parse(text, upTo: UInt8.max) == nil)
    #expect(text == "1.0" || DecimalDigits.fraction(text, upTo: 1e9) == nil)
  }

  @Test func `a number above the limit is none`() {
    #expect(DecimalDigits.parse("599", upTo: 599) == 599)
    #expect(DecimalDigits.parse("600", upTo: 599) == nil)
    #expect(DecimalDigits.parse("255", upTo: UInt8.max) == 255)
    #expect(DecimalDigits.parse("256", upTo: UInt8.max) == nil)
    #expect(DecimalDigits.parse("128", upTo: Int8.max) == nil)
  }

  @Test func `a fraction has digits on both sides of its point`() {
    #expect(DecimalDigits.fraction("2.5", upTo: 3) == 2.5)
    #expect(DecimalDigits.fraction("15", upTo: 15) == 15)
    for text in [
      ".5", "5.", "1.2.3", ".", "-1.0", "+1.0", "1.-5", "0x1p3", "1.5e1", "3.1",
      "9" + String(repeating: "0", count: 400),
    ] {
      #expect(DecimalDigits.fraction(text, upTo: 3) == nil, "\(text)")
    }
  }

  @Test func `a number is taken as people are shown it`() {
    #expect(DecimalDigits.parseGrouped("1,234,567") == 1_234_567)
    #expect(DecimalDigits.parseGrouped("1234567") == 1_234_567)
    #expect(DecimalDigits.parseGrouped("1,234", upTo: 1_000) == nil)
    for text in ["1,23", "1,2345", ",123", "1,,234", "1234,567", "1,23a", ",", "-1,234"] {
      #expect(DecimalDigits.parseGrouped(text, upTo: Int.max) == nil, "\(text)")
    }
  }
}
