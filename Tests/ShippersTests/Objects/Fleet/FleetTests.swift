import Testing
import WAL

@testable import Shippers

private let second: Int64 = 1_000_000
private let minute = 60 * second
private let hour = 60 * minute
private let day = 24 * hour
/// 2026-11-22 00:00 UTC.
private let midnight: Int64 = 1_795_305_600_000_000

/// A log as its notes may tell of it; all times are after ``midnight``.
private struct SomeLog {
  var id = "0123456789abcdef"
  var writtenAt = 12 * hour
  var shard: String?
  var feed = LogReport.FeedState.running
  var streams = ["a@trade", "b@trade"]
  var from = -day
  var firstTick: Int64? = -day
  /// Of streams; ``from`` where it says nothing.
  var firstTickOf: [String: Int64] = [:]
  var awaited: Set<String> = []
  var coveredUntil: Int64? = 12 * hour
  var gaps: [ToldGap] = []
  var openGaps = LogReport.OpenGaps(count: 0, streams: 0, causes: [])
  var consumers = ["s3": LogReport.ConsumerState(lag: 3, ageSeconds: 2, held: nil)]
  var passedOver: (ticks: Int, at: Int64)?

  private var firstTicks: [String: Int64] {
    Dictionary(
      uniqueKeysWithValues: streams.filter { !awaited.contains($0) }.map { ($0, firstTickOf[$0] ?? from) })
  }

  var log: FleetLog {
    var record = ListedStreams(logID: LogID(rawValue: id))
    record.update(streams, since: midnight + from, now: midnight + writtenAt)
    record.received(firstTicks.mapValues { midnight + $0 }, now: midnight + writtenAt)
    return FleetLog(
      logID: id, writtenAt: NoteTime(midnight + writtenAt),
      report: LogReport(
        host: "h", version: "1", shard: shard, feed: feed, head: 10, consumers: consumers, openGaps: openGaps,
        streams: LogReport.StreamCount(count: streams.count, sha256: record.sha256),
        firstTick: firstTick.map { NoteTime(midnight + $0) }, lastTick: nil,
        coveredUntil: coveredUntil.map { NoteTime(midnight + $0) },
        passedOver: passedOver.map { .init(ticks: $0.ticks, newest: NoteTime(midnight + $0.at)) }),
      streams: record,
      gaps: gaps.map {
        ToldGap(
          from: midnight + $0.from, to: $0.to.map { midnight + $0 }, streams: $0.streams, ids: $0.ids)
      })
  }
}

private func fleet(_ logs: SomeLog..., now: Int64 = 12 * hour + minute, unreadable: [String] = []) -> Fleet {
  var reading = FleetReader.Reading()
  reading.logs = logs.map(\.log)
  reading.unreadable = unreadable
  return Fleet(reading, now: midnight + now, limits: Fleet.Limits(silence: 11 * minute, lag: 5 * minute))
}

/// What is missing, relative to ``midnight``.
private func missing(
  _ fleet: Fleet, _ window: ClosedRange<Int64> = 10 * hour...11 * hour, isWhole: Bool = false
) -> [String] {
  fleet.missing(in: midnight + window.lowerBound...midnight + window.upperBound, isWhole: isWhole).map {
    stretch in
    let ids = stretch.ids.map { " ids \($0.lowerBound)-\($0.upperBound)" } ?? ""
    let (from, to) = (stretch.time.lowerBound - midnight, stretch.time.upperBound - midnight)
    return "\(from / minute)-\(to / minute) \(stretch.streams.joined(separator: ","))\(ids)"
  }
}

@Suite struct FleetTests {
  private let gap = ToldGap(from: 610 * minute, to: 620 * minute, streams: ["a@trade"])

  // MARK: What is missing

  @Test func `a gap that no other log makes good is missing, and only then`() {
    #expect(missing(fleet(SomeLog())) == [])
    #expect(missing(fleet(SomeLog(gaps: [gap]))) == ["610-620 a@trade"])
    #expect(missing(fleet(SomeLog(gaps: [gap]), SomeLog(id: "1"))) == [])
    let other = ToldGap(from: 615 * minute, to: nil, streams: ["a@trade", "b@trade"])
    #expect(missing(fleet(SomeLog(gaps: [gap]), SomeLog(id: "1", gaps: [other]))) == ["615-620 a@trade"])
    // Another log without that stream helps nothing.
    #expect(
      missing(fleet(SomeLog(gaps: [gap]), SomeLog(id: "1", streams: ["b@trade"], gaps: [other]))) == [
        "610-620 a@trade"
      ])
  }

  @Test func `gaps that began before the window and end after it count in it`() {
    let long = ToldGap(from: -hour, to: 20 * hour, streams: ["a@trade"])
    #expect(missing(fleet(SomeLog(gaps: [long]))) == ["600-660 a@trade"])
  }

  @Test func `ids that one log lacks are there if the other lacks others`() {
    func skip(_ ids: ClosedRange<Int64>) -> ToldGap {
      ToldGap(from: 610 * minute, to: 611 * minute, streams: ["a@trade"], ids: ids)
    }
    #expect(missing(fleet(SomeLog(gaps: [skip(5...9)]))) == ["610-611 a@trade ids 5-9"])
    #expect(missing(fleet(SomeLog(gaps: [skip(5...9)]), SomeLog(id: "1", gaps: [skip(10...11)]))) == [])
    #expect(
      missing(fleet(SomeLog(gaps: [skip(5...9)]), SomeLog(id: "1", gaps: [skip(8...11)]))) == [
        "610-611 a@trade ids 8-9"
      ])
    #expect(
      missing(fleet(SomeLog(gaps: [skip(5...9)]), SomeLog(id: "1", gaps: [gap]))) == [
        "610-611 a@trade ids 5-9"
      ])
  }

  @Test func `a log has a stream up to its newest delivered tick`() {
    let dead = SomeLog(writtenAt: 10 * hour + 30 * minute, coveredUntil: 10 * hour + 20 * minute)
    #expect(missing(fleet(dead)) == ["620-660 a@trade,b@trade"])
    #expect(missing(fleet(dead, SomeLog(id: "1"))) == [])
    var never = SomeLog()
    never.coveredUntil = nil
    #expect(missing(fleet(never)) == ["600-660 a@trade,b@trade"])
  }

  @Test func `before its first tick a log has nothing, which counts for a time that was asked for`() {
    let young = SomeLog(from: 10 * hour + 5 * minute, firstTick: 10 * hour + 6 * minute)
    #expect(missing(fleet(young)) == [])
    #expect(missing(fleet(young), isWhole: true) == ["600-606 a@trade,b@trade"])
    // Another log that had it makes the time before the young one's its own.
    #expect(
      missing(
        fleet(
          young, SomeLog(id: "1", gaps: [ToldGap(from: 601 * minute, to: 607 * minute, streams: ["b@trade"])])
        )) == [
          "601-606 b@trade"
        ])
  }

  @Test func `a stream that was taken from the list is not looked for any more`() {
    let log = SomeLog(streams: ["a@trade"])
    var record = ListedStreams(logID: LogID(rawValue: log.id))
    record.update(["a@trade", "b@trade"], since: midnight - day, now: midnight - day)
    // One that nobody heard of in its short time is not looked for either.
    record.received(["a@trade": midnight - day, "b@trade": midnight - day], now: midnight - day)
    record.update(["a@trade", "b@trade", "c@trade"], since: midnight - hour, now: midnight)
    record.update(["a@trade"], since: midnight + 630 * minute, now: midnight + 631 * minute)
    var reading = FleetReader.Reading()
    reading.logs = [
      FleetLog(
        logID: log.id, writtenAt: log.log.writtenAt, report: log.log.report, streams: record, gaps: [])
    ]
    let fleet = Fleet(
      reading, now: midnight + 12 * hour, limits: Fleet.Limits(silence: 11 * minute, lag: 5 * minute))
    #expect(missing(fleet) == [])
    #expect(missing(fleet, isWhole: true) == ["600-660 c@trade", "630-660 b@trade"])
    #expect(missing(fleet, 11 * hour...12 * hour, isWhole: true) == [])
  }

  /// Two machines that took turns: neither is a replica of the other at any time.
  @Test func `one log after the other leaves what lies between`() {
    let first = SomeLog(writtenAt: 620 * minute, feed: .stopped, coveredUntil: 620 * minute)
    let second = SomeLog(id: "1", from: 630 * minute, firstTick: 631 * minute)
    #expect(missing(fleet(first, second)) == ["620-631 a@trade,b@trade"])
  }

  @Test func `what lies between two logs is missing, also where it is all that is asked for`() {
    let first = SomeLog(
      writtenAt: -2 * day, feed: .stopped, from: -3 * day, firstTick: -3 * day, coveredUntil: -2 * day)
    let second = SomeLog(id: "1", from: 0, firstTick: 0)
    let hole = -day ... -hour
    for isWhole in [true, false] {
      #expect(missing(fleet(first, second), hole, isWhole: isWhole) == ["-1440--60 a@trade,b@trade"])
    }
    #expect(missing(fleet(second), hole, isWhole: true) == ["-1440--60 a@trade,b@trade"])
    #expect(missing(fleet(second), hole) == [])
  }

  @Test func `a log that has stopped is expected back for a month`() {
    let stopped = SomeLog(feed: .stopped, coveredUntil: 11 * hour)
    let later = 29 * day
    let other = SomeLog(id: "1", writtenAt: later, streams: ["c@trade"], coveredUntil: later)
    let window = 28 * day...28 * day + hour
    #expect(missing(fleet(stopped, other, now: later), window).count == 1)
    #expect(missing(fleet(stopped, other, now: later), window)[0].hasSuffix(" a@trade,b@trade"))
    #expect(problems(fleet(stopped, other, now: later)).count == 1)
    let muchLater = 32 * day
    let living = SomeLog(id: "1", writtenAt: muchLater, streams: ["c@trade"], coveredUntil: muchLater)
    #expect(problems(fleet(stopped, living, now: muchLater)) == [])
  }

  @Test func `a time of which no log says anything is no good time`() {
    func doubts(_ fleet: Fleet, _ window: ClosedRange<Int64>, isWhole: Bool = true) -> [String] {
      fleet.doubts(in: midnight + window.lowerBound...midnight + window.upperBound, isWhole: isWhole).map(
        \.what)
    }
    var silent = SomeLog()
    silent.streams = []
    #expect(doubts(fleet(silent), 0...hour) == ["no log had a stream in its list at that time"])
    #expect(doubts(fleet(SomeLog()), 0...hour) == [])
  }

  @Test func `ticks that were passed over are in doubt for the times before that`() {
    func doubts(_ from: Int64) -> [String] {
      fleet(SomeLog(passedOver: (ticks: 5, at: 10 * hour)))
        .doubts(in: midnight + from...midnight + from + hour, isWhole: false).map(\.what)
    }
    #expect(doubts(9 * hour) == ["5 ticks of it were skipped or are dead letters, and are not here"])
    #expect(doubts(10 * hour + 1) == [])
  }

  @Test func `a copy that is held is named as long as it says so`() {
    var reading = FleetReader.Reading()
    reading.logs = [SomeLog().log]
    func problems(heldAt time: Int64) -> [String] {
      reading.held = [
        HeldNote(logID: "1", host: "h-2", why: "another ships", writtenAt: NoteTime(midnight + time))
      ]
      return Fleet(
        reading, now: midnight + 12 * hour, limits: Fleet.Limits(silence: 11 * minute, lag: 5 * minute)
      ).problems.map { "\($0.logID ?? "-"): \($0.what)" }
    }
    #expect(
      problems(heldAt: 12 * hour - minute) == [
        "1: its copy, or the original, on h-2 is held and ships nothing: another ships; stop it and run `tickwal adopt` there"
      ])
    #expect(problems(heldAt: 12 * hour - 12 * minute) == [])
  }

  @Test func `processes whose numbers of shards differ lack shards of both`() {
    #expect(
      problems(fleet(SomeLog(shard: "1/2"), SomeLog(id: "1", shard: "2/2"), SomeLog(id: "2", shard: "2/3")))
        == [
          "-: shard 1/3 has no living log", "-: shard 3/3 has no living log",
        ])
  }

  @Test func `a list that is not there, or not the one of the note, is named`() {
    var reading = FleetReader.Reading()
    let log = SomeLog().log
    func problems(_ streams: ListedStreams?) -> [String] {
      reading.logs = [
        FleetLog(logID: log.logID, writtenAt: log.writtenAt, report: log.report, streams: streams, gaps: [])
      ]
      return Fleet(
        reading, now: midnight + 12 * hour, limits: Fleet.Limits(silence: 11 * minute, lag: 5 * minute)
      ).problems.map(\.what)
    }
    let words = ["its list of streams is not there, or not the one of its note: what it lacks is not known"]
    #expect(problems(log.streams) == [])
    #expect(problems(nil) == words)
    var other = ListedStreams(logID: LogID(rawValue: log.logID))
    other.update(["c@trade"], since: midnight, now: midnight + 12 * hour - minute)
    #expect(problems(other) == words)
    // A list is written before the note that speaks of it.
    other.update(["d@trade"], since: midnight, now: midnight + 12 * hour + minute)
    #expect(problems(other) == [])
  }

  // MARK: Who is not well

  private func problems(_ fleet: Fleet) -> [String] {
    fleet.problems.map { "\($0.logID ?? "-"): \($0.what)" }
  }

  @Test func `a fleet of living logs is well`() {
    #expect(problems(fleet(SomeLog(shard: "1/2"), SomeLog(id: "1", shard: "2/2"))) == [])
  }

  @Test func `a silent log is named, until its streams have been another's for a day`() {
    let silent = SomeLog(id: "1", writtenAt: 12 * hour - 11 * minute)
    #expect(
      problems(fleet(silent, SomeLog())) == [
        "1: no word of it for 12 min: it is down, frozen, or cut off from the bucket"
      ])
    let twoDaysOn = 2 * day + 12 * hour
    #expect(problems(fleet(silent, SomeLog(writtenAt: twoDaysOn), now: twoDaysOn)) == [])
    let found = problems(fleet(silent, SomeLog(writtenAt: twoDaysOn, streams: ["a@trade"]), now: twoDaysOn))
    #expect(found.count == 1)
    #expect(found[0].hasSuffix("; no living log has 1 stream of it"))
  }

  @Test func `a log that was stopped is no trouble if others have its streams`() {
    let stopped = SomeLog(id: "1", feed: .stopped)
    #expect(problems(fleet(stopped, SomeLog())) == [])
    #expect(
      problems(fleet(stopped, SomeLog(streams: ["b@trade", "c@trade"]))) == [
        "1: its process was stopped 60 s ago, and no living log has 1 stream of it"
      ])
    #expect(problems(fleet(stopped)).contains("-: no living log ships here"))
  }

  @Test func `shards that nobody has are named`() {
    #expect(
      problems(fleet(SomeLog(shard: "1/3"), SomeLog(id: "1", shard: "3/3"))) == [
        "-: shard 2/3 has no living log"
      ])
  }

  @Test func `who is behind, held or without data is named`() {
    #expect(
      problems(fleet(SomeLog(consumers: ["s3": .init(lag: 1_200, ageSeconds: 360, held: nil)]))) == [
        "0123456789abcdef: s3 is 1,200 ticks behind, the oldest 6 min old"
      ])
    #expect(
      problems(fleet(SomeLog(consumers: ["s3": .init(lag: 1, ageSeconds: 1, held: "no table")]))) == [
        "0123456789abcdef: s3 is held: no table"
      ])
    #expect(
      problems(fleet(SomeLog(openGaps: .init(count: 1, streams: 2, causes: ["refused"])))) == [
        "0123456789abcdef: nothing is received: a gap of all its streams is open (refused)"
      ])
    #expect(problems(fleet(SomeLog(openGaps: .init(count: 1, streams: 1, causes: ["refused"])))) == [])
  }

  @Test func `what cannot be understood is trouble`() {
    #expect(
      problems(fleet(SomeLog(), unreadable: ["p/_gaps/x cannot be understood"])) == [
        "-: p/_gaps/x cannot be understood"
      ])
  }

  @Test func `a note of an earlier version says nothing, so nothing is there`() {
    var reading = FleetReader.Reading()
    let whole = SomeLog().log
    reading.logs = [
      FleetLog(
        logID: "1", writtenAt: NoteTime(midnight + 12 * hour), report: nil, streams: whole.streams, gaps: [])
    ]
    let fleet = Fleet(
      reading, now: midnight + 12 * hour, limits: Fleet.Limits(silence: 11 * minute, lag: 5 * minute))
    #expect(
      problems(fleet) == ["1: an earlier version of the program ships it, which does not say how it is"])
    #expect(missing(fleet) == ["600-660 a@trade,b@trade"])
  }

  @Test func `a note from the future is named, and is no sign of life if it is far off`() {
    let found = problems(fleet(SomeLog(writtenAt: 12 * hour + 3 * minute)))
    #expect(
      found == [
        "0123456789abcdef: its note is of 2026-11-22T12:03:00.000000Z, which is to come: a clock is wrong"
      ])
    let farOff = problems(fleet(SomeLog(writtenAt: 2 * day)))
    #expect(farOff.contains("-: no living log ships here"))
    #expect(!farOff.contains { $0.contains("no word of it") })
    // Ten minutes ahead it is within what a living log may be late: named, and not called silent.
    let ahead = problems(fleet(SomeLog(writtenAt: 12 * hour + 10 * minute)))
    #expect(ahead.count == 1 && ahead[0].hasSuffix("which is to come: a clock is wrong"))
  }

  @Test func `an import that has done its work is not silent`() {
    var done = SomeLog(id: "1", writtenAt: 11 * hour, feed: .none, streams: [])
    #expect(problems(fleet(SomeLog(), done)) == [])
    done.feed = .running
    #expect(problems(fleet(SomeLog(), done)).count == 1)
  }

  @Test func `ticks that may wait for their batch are not late`() {
    var log = SomeLog(consumers: ["s3": .init(lag: 9, ageSeconds: 800, held: nil, mayWaitSeconds: 600)])
    #expect(problems(fleet(log)) == [])
    #expect(fleet(log).longestWait == .seconds(600))
    log.consumers["s3"] = .init(lag: 9, ageSeconds: 901, held: nil, mayWaitSeconds: 600)
    #expect(problems(fleet(log)).count == 1)
  }

  @Test(arguments: [-1e300, 1e300, Double.greatestFiniteMagnitude, -0.0])
  func `numbers that are no times are taken as the nearest`(seconds: Double) {
    let log = SomeLog(consumers: [
      "s3": .init(lag: .max, ageSeconds: seconds, held: nil, mayWaitSeconds: -seconds)
    ])
    #expect(problems(fleet(log)).count == (seconds > 0 ? 1 : 0))
    #expect(fleet(log).longestWait >= .zero)
  }

  @Test func `what a note says is one line`() {
    let log = SomeLog(consumers: ["s3": .init(lag: 1, ageSeconds: 1, held: "no\u{1B}[31m\ntable")])
    #expect(fleet(log).problems.allSatisfy { !$0.what.contains { $0.isNewline || $0 == "\u{1B}" } })
  }

  // MARK: Streams that are new

  @Test func `a log has a stream from its first tick on, not since it is in the list`() {
    let new = SomeLog(
      from: 10 * hour, firstTick: -day, firstTickOf: ["a@trade": 605 * minute, "b@trade": 10 * hour])
    // Nobody had it before: it is looked for from then on, unless the time was asked for.
    #expect(missing(fleet(new)) == [])
    #expect(missing(fleet(new), isWhole: true) == ["600-605 a@trade"])
    let other = SomeLog(id: "1", gaps: [ToldGap(from: 602 * minute, to: 607 * minute, streams: ["a@trade"])])
    #expect(missing(fleet(new, other)) == ["602-605 a@trade"])
  }

  @Test func `a log of which no tick of a stream has come does not have it`() {
    var new = SomeLog(from: 10 * hour, firstTick: -day, awaited: ["a@trade"])
    #expect(missing(fleet(new), isWhole: true) == ["600-660 a@trade"])
    #expect(missing(fleet(new, SomeLog(id: "1"))) == [])
    new.awaited = []
    #expect(missing(fleet(new), isWhole: true) == [])
  }

  @Test func `a list of an earlier version does not tell of first ticks`() throws {
    let text = #"""
      {"log_id":"1","sha256":"2","written_at":"2026-11-22T00-00-00.000000Z","streams":[
      {"from":"2026-11-22T00-00-00.000000Z","name":"a","to":null},
      {"first_tick":null,"from":"2026-11-22T00-00-00.000000Z","name":"b","to":null}]}
      """#
    let list = try ListedStreams(json: Array(text.utf8))
    #expect(list.streams.map(\.firstTick) == [NoteTime(midnight), nil])
    #expect(list.awaited == ["b": midnight])
    #expect(try ListedStreams(json: list.json()) == list)
  }

  @Test func `a stream that was away for a moment was away`() {
    var list = ListedStreams(logID: LogID(rawValue: "1"))
    list.update(["a", "b"], since: 10, now: 10)
    list.received(["a": 11, "b": 12], now: 12)
    #expect(!list.wasLeft(["a": 9]) && list.wasLeft(["a": 20]))
    list.update(["a", "b"], since: 30, left: ["a": 20], now: 31)
    #expect(list.streams.map(\.name) == ["a", "a", "b"])
    #expect(list.streams.map(\.to) == [NoteTime(20), nil, nil])
    #expect(list.awaited == ["a": 30] && !list.wasLeft(["a": 20]))
  }

  // MARK: Gaps as their objects tell of them

  private func told(_ detail: String, cause: String = "sequence") throws -> ToldGap {
    try ToldGap(
      json: Array(
        """
        {"gap":1,"log_id":"1","started_at":"2026-11-22T00:00:00.000000Z","ended_at":null,"cause":"\(cause)","streams":["a"],\
        "detail":\(detail)}
        """.utf8))
  }

  @Test func `the ids of a gap are those between its neighbours`() throws {
    #expect(try told(#"{"after":5,"before":9,"skips":1}"#).ids == 6...8)
    #expect(try told(#"{"after":5,"before":9}"#, cause: "closed").ids == nil)
  }

  /// Then only the time is known, and counts whole.
  @Test(arguments: [
    #"{"after":5,"before":6}"#, #"{"after":5}"#,
    #"{"after":9223372036854775807,"before":-9223372036854775808}"#,
    #"{"after":"5","before":9}"#, "[]", "null", "7",
  ])
  func `ids that are none leave the time`(detail: String) throws {
    #expect(try told(detail) == ToldGap(from: midnight, to: nil, streams: ["a"]))
  }

  @Test(arguments: ["", "{}", #"{"started_at":"x","ended_at":null,"cause":"closed","streams":[]}"#])
  func `what is no gap is refused`(text: String) {
    #expect(throws: (any Error).self) { try ToldGap(json: Array(text.utf8)) }
  }
}
