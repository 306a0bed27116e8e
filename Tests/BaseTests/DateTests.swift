import Base
import Testing

@testable import Base

@Suite struct DateTests {
  @Test(arguments: [
    ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799), ("Sun, 22 Nov 2026 01:55:37 GMT", 1_795_312_537),
  ])
  func `HTTP dates are read`(text: String, seconds: Int) {
    #expect(HTTPDate.epochSeconds(text.utf8) == seconds)
  }

  @Test(arguments: [
    "", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 CET",
    "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08-49-37 GMT", "Sun,106 Nov 1994 08:49:37 GMT", "Sun, 06xNov 1994 08:49:37 GMT",
    "Wed, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov -994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:+7 GMT",
  ])
  func `anything else is no date`(text: String) {
    #expect(HTTPDate.epochSeconds(text.utf8) == nil)
  }

  @Test func `date arithmetic agrees with itself over four centuries`() {
    var previous = CivilTime(epochSeconds: -86_400 * 150_000)
    for day in -149_999...150_000 {
      let time = CivilTime(epochSeconds: day * 86_400 + 3_723)
      #expect(time.epochSeconds == day * 86_400 + 3_723)
      let follows =
        time.day == previous.day + 1 || (time.day == 1 && (28...31).contains(previous.day))
      #expect(follows, "\(previous) then \(time)")
      previous = time
    }
  }

  @Test func `the signing date has sixteen characters`() {
    var bytes: [UInt8] = []
    CivilTime(epochSeconds: 1_440_938_160).appendBasic(to: &bytes)
    #expect(String(decoding: bytes, as: UTF8.self) == "20150830T123600Z")
  }
}
