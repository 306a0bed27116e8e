import Base
import Testing

@testable import tickwal

@Suite struct TerminalTests {
  @Test(arguments: [
    (0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567"),
    (Int.min, "-9,223,372,036,854,775,808"),
  ])
  func `numbers are grouped`(number: Int, text: String) {
    #expect(Figures.grouped(number) == text)
  }

  @Test(arguments: [
    (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (64 << 20, "64 MiB"),
    ((1 << 20) - 1, "1 MiB"), (5 << 30, "5 GiB"), (150_000, "146 KiB"), (-2048, "-2 KiB"),
  ])
  func `bytes have a unit`(count: Int, text: String) {
    #expect(Figures.bytes(count) == text)
  }

  @Test(arguments: [
    (Duration.zero, "0 ms"), (.milliseconds(350), "350 ms"), (.milliseconds(2_540), "2.5 s"),
    (.milliseconds(59_990), "59.9 s"), (.seconds(60), "60 s"),
    (.milliseconds(60_990), "60.9 s"), (.seconds(120), "2 min"),
    (.seconds(65), "1 min 05 s"), (.seconds(90), "1 min 30 s"),
    (.seconds(3_600), "1 h"), (.seconds(7_620), "2 h 07 min"),
    (.seconds(273_600), "3 d 04 h"), (.seconds(-65), "-1 min 05 s"), (.seconds(3), "3 s"),
  ])
  func `durations have at most two units`(duration: Duration, text: String) {
    #expect(Figures.duration(duration) == text)
  }

  @Test func `rates are per second`() {
    #expect(Figures.rate(24_690, in: .seconds(2)) == "12,345/s")
    #expect(Figures.rate(5, in: .seconds(2)) == "2.5/s")
    #expect(Figures.rate(5, in: .zero) == "0/s")
  }

  @Test func `a table aligns its columns`() {
    let table = TextTable(
      .init("consumer"), .init("lag", .right), .init("key"),
      rows: [["s3", "1,234", "a"], ["dynamodb", "5", ""], ["币安", "12", "b\nc"]])
    #expect(
      table.lines() == [
        "consumer    lag  key", "s3        1,234  a", "dynamodb      5", "币安         12  b\\nc",
      ])
  }

  @Test func `a table fits its width by wrapping the widest text between words`() {
    let table = TextTable(
      .init("a"), .init("n", .right), rows: [["one of two connections ended", "12"], ["b", "4"]])
    let lines = table.lines(width: 20)
    #expect(
      lines == [
        "a                  n", "one of two        12", "connections", "ended", "b                  4",
      ])
    #expect(lines.allSatisfy { DisplayWidth.of($0) <= 20 })
  }

  @Test func `a table whose words do not fit has a paragraph for each row, and breaks no word`() {
    let json = #"{"endpoint":"https://s3.example.com","bucket":"b"}"#
    let table = TextTable(
      .init("consumer"), .init("n", .right), .init("place"), .init("why"),
      rows: [["s3", "12", json, "it is so"], ["dynamodb", "4", "", ""]])
    #expect(
      table.lines(width: 30) == ["s3: n 12, place", "  \(json),", "  why it is so", "dynamodb: n 4"])
    // Without headings there is nothing to call the values by: what is too long stays whole.
    let facts = TextTable(
      .init(""), .init(""), rows: [["log", "/a/very/long/path/of/a/log.db (0123456789abcdef)"]])
    #expect(facts.lines(width: 20) == ["log  /a/very/long/path/of/a/log.db", "     (0123456789abcdef)"])
  }

  @Test func `lines are broken between words alone, and cut there`() {
    #expect(DisplayWidth.wrapped("币安 人生", to: 5, atMost: 2) == ["币安", "人生"])
    #expect(DisplayWidth.wrapped("", to: 5, atMost: 2) == [""])
    #expect(DisplayWidth.wrapped("  a bb ccc dddd", to: 6, indent: 2) == ["  a bb", "  ccc", "  dddd"])
    #expect(DisplayWidth.wrapped("a bb ccc dddd", to: 6, atMost: 2) == ["a bb", "ccc …"])
    #expect(DisplayWidth.wrapped("aaaaaaaa b", to: 4) == ["aaaaaaaa", "b"])
    #expect(DisplayWidth.wrapped("a b", to: 1, indent: 4) == ["a", "b"])
  }

  @Test func `a backlog that only gets less says how long it takes`() {
    func line(_ backlogs: (lag: Int, shipped: Int)..., elapsed: Duration, width: Int = 80) -> String {
      RunWatch.left(
        zip(["s3", "dynamodb"], backlogs).map {
          RunWatch.Backlog(consumer: $0, lag: $1.lag, shipped: $1.shipped)
        }, in: elapsed, width: width)
    }
    #expect(line((0, 5), elapsed: .seconds(5)) == "s3 all shipped")
    #expect(line((43_000, 0), elapsed: .seconds(5)) == "s3 43,000 behind (0/s)")
    #expect(line((9_000, 3_000), elapsed: .seconds(60)) == "s3 9,000 behind (50/s, 3 min left)")
    let both = line((1_234_567, 600_000), (1_234_567, 23_400), elapsed: .seconds(60), width: 71)
    #expect(both == "s3 1,234,567 behind (2 min 03 s left) · dynamodb 1,234,567 behind (52 min 45 s left)")
  }

  @Test func `in a pipe it is told in numbers and without a guess where nothing went out`() {
    func told(_ lag: Int, _ shipped: Int) -> [String: String] {
      RunWatch.metadata([.init(consumer: "s3", lag: lag, shipped: shipped)], in: .seconds(10))
        .mapValues { "\($0)" }
    }
    #expect(told(9_000, 500) == ["lag_s3": "9000", "ticks_per_second_s3": "50.0", "left_seconds": "180"])
    #expect(told(9_000, 0) == ["lag_s3": "9000", "ticks_per_second_s3": "0.0"])
    #expect(told(0, 500) == ["lag_s3": "0", "ticks_per_second_s3": "50.0"])
  }

  @Test func `wide characters count twice`() {
    #expect(DisplayWidth.of("币安a") == 5)
    #expect(DisplayWidth.truncated("币安人生", to: 6) == "币安…")
    #expect(DisplayWidth.truncated("abc", to: 3) == "abc")
    #expect(DisplayWidth.truncated("abc", to: 0) == "")
  }

  @Test func `a bar fills with its fraction`() {
    let report = ProgressReport(
      label: "import", done: 25, total: 100, elapsed: .seconds(10), detail: "1,000 ticks")
    let line = report.line(width: 80)
    #expect(
      line == "import  " + String(repeating: "█", count: 10) + String(repeating: "░", count: 30)
        + "  25%  1,000 ticks  30 s left")
    #expect(report.plainLine == "import: 25%, 1,000 ticks, 30 s left")
  }

  @Test(arguments: 0...120) func `a line is never wider than the terminal`(width: Int) {
    for total in [nil, 100] {
      let report = ProgressReport(
        label: "import", done: 33, total: total, elapsed: .seconds(100), detail: "1,000 ticks, 32/s")
      #expect(DisplayWidth.of(report.line(width: width)) <= width)
    }
  }

  @Test func `nothing is said of the time left before it can be known`() {
    #expect(ProgressReport(label: "x", done: 0, total: 10, elapsed: .seconds(5)).remaining == nil)
    #expect(ProgressReport(label: "x", done: 5, total: 10, elapsed: .milliseconds(5)).remaining == nil)
    #expect(ProgressReport(label: "x", done: 5, elapsed: .seconds(5)).remaining == nil)
    #expect(ProgressReport(label: "x", done: 0, total: 0, elapsed: .seconds(5)).fraction == 1)
    #expect(ProgressReport(label: "x", done: 20, total: 10, elapsed: .seconds(5)).fraction == 1)
  }

  @Test func `reports come often on a terminal and seldom in a file`() {
    let times: [Duration] = [.zero, .milliseconds(99), .milliseconds(100), .seconds(9), .seconds(10)]
    var terminal = ProgressPace(isTerminal: true)
    #expect(times.map { terminal.isDue(at: $0) } == [true, false, true, true, true])
    var file = ProgressPace(isTerminal: false)
    #expect(times.map { file.isDue(at: $0) } == [true, false, false, false, true])
  }

  @Test func `JSON is escaped and ordered`() {
    let value = JSONDocument.object([
      "b": .array([.integer(1), .null, .bool(true)]), "a": .string("\"\\\n\u{1}é"), "n": .number(0.5),
      "nan": .number(.nan), "empty": .object([:]),
    ])
    #expect(value.text == #"{"b":[1,null,true],"a":"\"\\\n\u0001é","n":0.5,"nan":null,"empty":{}}"#)
    #expect(JSONDocument.array([.integer(1)]).prettyText == "[\n  1\n]")
  }
}
