import Base
import Testing

@Suite struct CalendarTests {
  @Test(arguments: [0, 951_782_400, 951_868_799, 1_709_164_800, -1, -62_135_596_800, 253_402_300_799])
  func `a second is the same after it was a date`(seconds: Int) {
    let time = CivilTime(epochSeconds: seconds)
    #expect(time.epochSeconds == seconds)
    #expect(time.exists)
  }

  @Test(arguments: [
    (2026, 2, 29, false), (2024, 2, 29, true), (1900, 2, 29, false), (2000, 2, 29, true),
    (2026, 13, 1, false),
    (2026, 4, 31, false), (2026, 12, 31, true), (2026, 1, 0, false),
  ])
  func `a day exists or does not`(year: Int, month: Int, day: Int, exists: Bool) {
    #expect(
      CivilTime(year: year, month: month, day: day, hour: 0, minute: 0, second: 0).exists == exists)
  }

  @Test func `a time has the form of the rows and of people`() {
    #expect(Timestamp.dashed(microseconds: 1_665_778_598_188_000) == "2022-10-14T20-16-38.188000Z")
    #expect(Timestamp.rfc3339(microseconds: -1) == "1969-12-31T23:59:59.999999Z")
  }

  @Test func `the clock counts in one unit`() {
    let before = WallClock.now()
    let seconds = WallClock.epochSeconds()
    #expect(before / 1_000_000 <= Int64(seconds))
    #expect(Int64(seconds) <= WallClock.now() / 1_000_000)
  }

  /// Reference: the check value of CRC-32/ISO-HDLC, https://reveng.sourceforge.io/crc-catalogue/all.htm
  @Test func `CRC-32 over pieces is CRC-32 over the whole`() {
    var whole = CRC32()
    Array("123456789".utf8).withUnsafeBytes { whole.update($0) }
    #expect(whole.value == 0xcbf4_3926)
    var pieces = CRC32()
    for piece in ["1234", "", "56789"] { Array(piece.utf8).withUnsafeBytes { pieces.update($0) } }
    #expect(pieces.value == whole.value)
  }
}
