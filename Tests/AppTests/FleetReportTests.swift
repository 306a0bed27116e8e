import Base
import Testing

@testable import Shippers
@testable import tickwal

@Suite struct FleetReportTests {
  /// 2026-11-22 12:00 UTC.
  private static let now: Int64 = 1_795_348_800_000_000

  private func report(_ logs: [FleetLog], unreadable: [String] = [], until: String? = nil) throws
    -> FleetReport
  {
    var reading = FleetReader.Reading()
    reading.logs = logs
    reading.unreadable = unreadable
    let question = try FleetQuestion(until: until, now: Self.now)
    return FleetReport(
      place: "s3://bucket/folder", fleet: Fleet(reading, now: Self.now, limits: question.limits),
      question: question)
  }

  private func log(
    host: String = "h", age: Double = 2, wait: Double = 10, lag: Int = 3
  ) -> FleetLog {
    FleetLog(
      logID: "0123456789abcdef", writtenAt: NoteTime(Self.now - 44_000_000),
      report: LogReport(
        host: host, version: "1", shard: "2/2", feed: .running, head: 1_234_567,
        consumers: ["s3": .init(lag: lag, ageSeconds: age, held: nil, mayWaitSeconds: wait)],
        openGaps: .init(count: 0, streams: 0, causes: [])), streams: nil, gaps: [])
  }

  @Test func `a log is a line, and what is not well follows`() throws {
    let lines = try report([log()]).lines
    #expect(
      Array(lines.prefix(4)) == [
        "1 log in s3://bucket/folder", "",
        "log               shard  host  version  state   last word  streams       head  behind      open gaps",
        "0123456789abcdef  2/2    h     1        living   44 s ago        ?  1,234,567  s3 3 (2 s)          0",
      ])
    #expect(lines.contains("  shard 1/2 has no living log"))
    #expect(
      lines.last
        == "nothing is missing in all logs of a stream, 2026-11-21 11:49:00 to 2026-11-22 11:48:50 UTC")
  }

  /// Up to where everything can be there: not where ticks still wait for their batch.
  @Test func `the time ends where batches may still be filled, unless its end was given`() throws {
    #expect(try report([log(wait: 3_600)]).lines.last?.contains("to 2026-11-22 10:49:00 UTC") == true)
    #expect(
      try report([log(wait: 3_600)], until: "-1m").lines.last?.contains("to 2026-11-22 11:59:00 UTC") == true)
    // Whoever wrote that cannot move the end before the beginning.
    #expect(try report([log(wait: 1e300)]).lines.last?.hasPrefix("nothing is missing") == true)
  }

  @Test(arguments: [-1e300, 1e300]) func `no number of a note is a trap`(age: Double) throws {
    let report = try report([log(age: age, wait: age, lag: .min)])
    #expect(!report.lines.isEmpty)
    #expect(!report.document.prettyText.isEmpty)
  }

  @Test func `texts of a note stay on their line`() throws {
    let lines = try report([log(host: "a\u{1B}[2J\nb")], unreadable: ["p/x\u{1B}\n cannot be understood"])
      .lines
    #expect(lines.allSatisfy { !$0.contains { $0.isNewline || $0 == "\u{1B}" } })
  }

  @Test func `what cannot be read is named, also where no log can be`() throws {
    let report = try report([], unreadable: ["p/_logs/x cannot be understood"])
    #expect(report.lines == ["no log ships to s3://bucket/folder", "p/_logs/x cannot be understood"])
    #expect(!report.isWell)
  }
}
