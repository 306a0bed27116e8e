import Base
import Testing

@testable import tickwal

@Suite struct FleetQuestionTests {
  /// 2026-11-22 12:00 UTC.
  private let now: Int64 = 1_795_348_800_000_000
  private let minute: Int64 = 60_000_000

  private func minutes(_ question: FleetQuestion) -> String {
    "\((question.window.lowerBound - now) / minute) to \((question.window.upperBound - now) / minute)"
  }

  @Test func `without a time it is the last day, but for what may not be said yet`() throws {
    let question = try FleetQuestion(now: now)
    #expect(minutes(question) == "-1451 to -11")
    #expect(!question.isWhole)
    #expect(minutes(try FleetQuestion(silentAfter: "60", now: now)) == "-1441 to -1")
  }

  @Test func `a time that is given is looked at whole`() throws {
    #expect(minutes(try FleetQuestion(since: "-30m", until: "-2m", now: now)) == "-30 to -2")
    #expect(minutes(try FleetQuestion(since: "-30m", now: now)) == "-30 to -11")
    #expect(minutes(try FleetQuestion(day: "2026-11-21", now: now)) == "-2160 to -720")
    #expect(minutes(try FleetQuestion(day: "2026-11-22", now: now)) == "-720 to -11")
    #expect(try FleetQuestion(day: "2026-11-22", now: now).isWhole)
    // Nobody has what is to come.
    #expect(minutes(try FleetQuestion(since: "-1m", until: "2026-11-30T00:00Z", now: now)) == "-1 to 0")
  }

  @Test(
    arguments: [
      (nil, "yesterday", nil, nil, "--since is 'yesterday'"), (nil, nil, "1", nil, "--until is '1'"),
      ("2026-02-30", nil, nil, nil, "--day is '2026-02-30'"),
      ("2026-11-22", "-1h", nil, nil, "given without other bounds"),
      (nil, nil, nil, "0", "--silent-after is '0'"), (nil, "-1m", "-2m", nil, "a time before the end"),
      ("2026-11-23", nil, nil, nil, "a time before the end"),
    ] as [(String?, String?, String?, String?, String)])
  func `what cannot be meant is refused`(
    day: String?, since: String?, until: String?, silentAfter: String?, words: String
  ) {
    let error = #expect(throws: BadSettings.self) {
      try FleetQuestion(day: day, since: since, until: until, silentAfter: silentAfter, now: now)
    }
    #expect(error?.problems.count == 1)
    let lines = error?.lines.joined(separator: "\n") ?? ""
    #expect(lines.contains(words))
  }
}
