import Base
import Foundation
import Logging
import Testing

@testable import tickwal

@Suite struct LoggingTests {
  static let time: Int64 = 1_795_312_800_123_456

  @Test(
    arguments: [
      (time, "2026-11-22T02:00:00.123Z"), (0, "1970-01-01T00:00:00.000Z"),
      (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
    ] as [(Int64, String)])
  func `times are RFC 3339`(microseconds: Int64, text: String) {
    #expect(UTCTime.text(microseconds) == text)
  }

  @Test func `text lines align and quote only what needs it`() {
    let line = LogLine(
      time: Self.time, level: .info, message: "started",
      metadata: ["b": "two words", "a": "1", "c": "", "d": ["x", "y z"], "e": "a=b"])
    #expect(
      line.text()
        == #"2026-11-22T02:00:00.123Z INFO  started a=1 b="two words" c="" d=["x","y z"] e="a=b""#)
    #expect(LogLine(time: 0, level: .warning, message: "m", metadata: [:]).text().contains(" WARN  m"))
    #expect(LogLine(time: 0, level: .error, message: "m", metadata: [:]).text().contains(" ERROR m"))
  }

  @Test func `a message cannot break its line`() {
    let line = LogLine(
      time: 0, level: .error, message: "a\nb\u{1B}[2J\u{2028}",
      metadata: ["k": "c\r\nd", "l": "\u{0}", "m": "x\u{202E}y"])
    #expect(
      line.text()
        == #"1970-01-01T00:00:00.000Z ERROR a\nb\u{1b}[2J\u{2028} k="c\r\nd" l="\u0000" m="x\u202ey""#)
    #expect(!line.json.unicodeScalars.contains { Text.isUnprintable($0) })
  }

  @Test func `the journal gets a priority and no time, a terminal colours, a file neither`() {
    let line = LogLine(
      time: Self.time, level: .warning, message: "a\nb", metadata: ["n": .stringConvertible(7)])
    #expect(line.text(.journal) == "<4>WARN  a\\nb n=7")
    #expect(line.text(.coloured).contains("\u{1B}[33mWARN \u{1B}[0m a"))
    #expect(line.text(.plain) == "2026-11-22T02:00:00.123Z WARN  a\\nb n=7")
    #expect(line.text(.json, style: .journal) == line.json)
    let priorities = Logger.Level.allCases.map { LineStyle.journal.priority($0) }
    #expect(priorities == ["<7>", "<7>", "<6>", "<5>", "<4>", "<3>", "<2>"])
    #expect(LineStyle.plain.priority(.error).isEmpty)
  }

  @Test(
    arguments: [
      ("8:12345", true), ("8:12346", false), ("9:12345", false), ("", false), (nil, false), ("8", false),
      ("8:12345:1", false), ("8:+12345", false), (" 8:12345", false), ("8:99999999999999999999", false),
    ] as [(String?, Bool)])
  func `the journal is the file with both numbers`(stream: String?, isJournal: Bool) {
    #expect(LineStyle.isJournal(stream, device: 8, inode: 12_345) == isJournal)
  }

  @Test func `numbers are for people in text, and numbers in JSON`() {
    let line = LogLine(
      time: Self.time, level: .notice, message: "delivering again",
      metadata: [
        "head": .stringConvertible(1_234_567), "for_seconds": .stringConvertible(44),
        "seconds_left": .stringConvertible(120), "after": .stringConvertible(1_234_567),
      ])
    #expect(
      line.text().hasSuffix(#"delivering again after=1234567 for="44 s" head=1,234,567 left="2 min""#))
    #expect(
      line.json.hasSuffix(
        #""message":"delivering again","after":1234567,"for_seconds":44,"head":1234567,"seconds_left":120}"#))
  }

  @Test func `JSON lines parse and keep their keys`() throws {
    let line = LogLine(
      time: Self.time, level: .notice, message: #"say "hi" \"#,
      metadata: [
        "time": "mine", "n": .stringConvertible(42), "x": ["k": "é"], "big": .stringConvertible(UInt64.max),
      ])
    #expect(line.json.hasPrefix(#"{"time":"2026-11-22T02:00:00.123Z","level":"notice","message":"#))
    let parsed = try #require(try JSONSerialization.jsonObject(with: Data(line.json.utf8)) as? [String: Any])
    #expect(parsed["message"] as? String == #"say "hi" \"#)
    #expect(parsed["_time"] as? String == "mine")
    #expect(parsed["n"] as? Int == 42)
    #expect(parsed["big"] as? String == "18446744073709551615")
    #expect((parsed["x"] as? [String: String])?["k"] == "é")
  }

  @Test func `the handler writes one line a message`() throws {
    let pipe = Pipe()
    let console = Console(descriptor: pipe.fileHandleForWriting.fileDescriptor)
    var logger = Logger(label: "test") { _ in
      ConsoleLogHandler(console: console, format: .text, level: .info, now: { 0 })
    }
    logger[metadataKey: "consumer"] = "s3"
    logger.info("one", metadata: ["offset": "5"])
    logger.debug("not shown")
    logger.error("two\nlines", metadata: ["consumer": "other"])
    console.flush(within: .seconds(20))
    try pipe.fileHandleForWriting.close()
    let written = try #require(try pipe.fileHandleForReading.readToEnd())
    #expect(
      String(decoding: written, as: UTF8.self) == """
        1970-01-01T00:00:00.000Z INFO  one consumer=s3 offset=5
        1970-01-01T00:00:00.000Z ERROR two\\nlines consumer=other

        """)
  }
}
