import LogFixtures
import TestSupport
import Testing

@testable import WAL

private let second: Int64 = 1_000_000
private let hour = 3_600 * second
private let year = 365 * 24 * hour

@Suite struct LogClockTests {
  private func uptime(_ microseconds: Int64, boot: String = "a") -> Uptime {
    Uptime(boot: boot, microseconds: microseconds)
  }

  @Test func `it begins at zero and goes with the uptime`() {
    let clock = LogClock(stored: nil, now: uptime(5 * hour), wall: someTime)
    #expect(clock.time(at: uptime(5 * hour)) == 0)
    #expect(clock.time(at: uptime(6 * hour)) == hour)
    // Never back, whatever the machine says.
    #expect(clock.time(at: uptime(4 * hour)) == 0)
  }

  /// What the wall clock says while the machine is up, and over a restart of it.
  typealias Case = (boot: String, uptime: Int64, wall: Int64, counted: Int64)

  static let cases: [Case] = [
    // The machine stayed up: only its uptime counts, also while no process ran.
    (boot: "a", uptime: 30 * hour, wall: someTime, counted: 20 * hour),
    (boot: "a", uptime: 10 * hour, wall: someTime + year, counted: 0),
    (boot: "a", uptime: 11 * hour, wall: someTime - year, counted: hour),
    (boot: "a", uptime: 1 * hour, wall: someTime, counted: 0),
    // It was restarted: the wall clock is believed for an hour.
    (boot: "b", uptime: 1, wall: someTime + 60 * second, counted: 60 * second),
    (boot: "b", uptime: 1, wall: someTime + year, counted: hour),
    (boot: "b", uptime: 100 * hour, wall: someTime - year, counted: 0),
    // It does not say which start this is.
    (boot: "", uptime: 100 * hour, wall: someTime + 7, counted: 7),
    (boot: "b", uptime: 1, wall: Int64.min, counted: 0),
  ]

  @Test(arguments: cases) func `it goes on where it stopped`(_ test: Case) {
    let first = LogClock(stored: nil, now: uptime(9 * hour), wall: someTime)
    let stored = first.text(at: uptime(10 * hour), wall: someTime)
    let now = uptime(test.uptime, boot: test.boot)
    let clock = LogClock(stored: stored, now: now, wall: test.wall)
    #expect(clock.time(at: now) == hour + test.counted)
  }

  @Test(arguments: ["", "x", "1 a 2", "1 a 2 3 4", "z a 2 3", "1 a z 3", "1 a 2 z"])
  func `what cannot be understood begins anew`(stored: String) {
    let now = uptime(hour)
    #expect(LogClock(stored: stored, now: now, wall: someTime).time(at: now) == 0)
  }

  @Test func `stored nonsense does not overflow`() {
    for number in ["-9223372036854775808", "9223372036854775807"] {
      let now = uptime(hour)
      let clock = LogClock(stored: "\(number) a \(number) \(number)", now: now, wall: someTime)
      #expect(clock.time(at: now) >= 0)
    }
  }

  @Test func `the machine's own clock goes on`() {
    let first = Uptime.now()
    let second = Uptime.now()
    #expect(first.boot.count == 36)
    #expect(first.boot == second.boot)
    #expect(first.microseconds <= second.microseconds)
  }
}

@Suite struct AgeMarksTests {
  private func marks(_ pairs: [(Int64, Int64)]) -> AgeMarks {
    var marks = AgeMarks(text: nil, now: 0)
    for (highest, time) in pairs { marks.note(highest: highest, at: time) }
    return marks
  }

  static let answers: [(now: Int64, highest: Int64?)] = [
    (0, nil), (99, nil), (100, 10), (109, 10), (110, 20), (150, 30), (1_000_000, 30),
  ]

  @Test(arguments: answers)
  func `a number is as old as the first mark that is not below it`(now: Int64, highest: Int64?) {
    let marks = marks([(10, 0), (20, 10), (20, 15), (30, 50)])
    #expect(marks.highest(agedAtLeast: 100, at: now) == highest)
  }

  @Test func `nothing of its own is noted`() {
    #expect(marks([(0, 5)]).marks.isEmpty)
    #expect(marks([(7, 5), (7, 6), (6, 7)]).marks == [.init(highest: 7, time: 5)])
  }

  @Test func `pruning changes no answer`() {
    let all = marks((1...100).map { ($0 * 10, $0 * 7) })
    for now in stride(from: Int64(0), to: 1_000, by: 3) {
      var pruned = all
      pruned.prune(age: 200, at: now)
      for later in now..<now + 50 {
        #expect(
          pruned.highest(agedAtLeast: 200, at: later) == all.highest(agedAtLeast: 200, at: later))
      }
      #expect(pruned.marks.filter { now - $0.time >= 200 }.count <= 1)
    }
  }

  @Test func `text keeps them`() {
    let all = marks([(10, 0), (20, 10), (35, 50)])
    #expect(all.text == "10@0 20@10 35@50")
    #expect(AgeMarks(text: all.text, now: 50) == all)
  }

  /// Ticks count as new then, and are kept for longer.
  @Test(arguments: ["10", "10@", "@1", "a@1", "10@0 9@5", "10@5 20@4", "10@51", "10@0,20@1", "-5@0"])
  func `what cannot be understood is given up`(text: String) {
    #expect(AgeMarks(text: text, now: 50).marks.isEmpty)
  }
}

@Suite struct RetentionRuleTests {
  private func offset(_ value: Int64) -> Offset { Offset(rawValue: value) }

  typealias Case = (next: Int64?, old: Int64, isShort: Bool, last: Int64)

  static let cases: [Case] = [
    // Shipped and old.
    (next: 51, old: 40, isShort: false, last: 40),
    (next: 51, old: 90, isShort: false, last: 50),
    (next: 101, old: 200, isShort: false, last: 100),
    (next: 1, old: 90, isShort: false, last: 0),
    (next: 51, old: 0, isShort: false, last: 0),
    // No space: what is shipped, and never more.
    (next: 51, old: 0, isShort: true, last: 50),
    (next: 1, old: 90, isShort: true, last: 0),
    (next: 500, old: 0, isShort: true, last: 100),
    // Nobody ships: age alone.
    (next: nil, old: 40, isShort: false, last: 40),
    (next: nil, old: 40, isShort: true, last: 40),
    (next: nil, old: 400, isShort: false, last: 100),
  ]

  @Test(arguments: cases) func `a tick goes when it is shipped and old`(_ test: Case) {
    let found = RetentionRule.last(
      head: offset(100), next: test.next.map(offset), oldEnough: offset(test.old), isSpaceShort: test.isShort)
    #expect(found == offset(test.last))
  }

  @Test(arguments: [
    (hours: 24.0, seconds: 360.0), (hours: 0.001, seconds: 0.5), (hours: 1.0, seconds: 15.0),
  ])
  func `age is known well enough`(hours: Double, seconds: Double) {
    let rule = RetentionRule(retention: .seconds(3_600) * hours)
    #expect(rule.markInterval == .seconds(1) * seconds)
  }
}

@Suite struct TrimBoundaryTests {
  private func next(
    after trimmed: Int64, through last: Int64, step: Int = 100, batches: [ClosedRange<Int64>]
  ) -> Int64? {
    TrimBoundary.next(
      after: Offset(rawValue: trimmed), through: Offset(rawValue: last), step: step
    ) { offset in
      batches.first { $0.lowerBound <= offset.rawValue && offset.rawValue < $0.upperBound }
        .map { offsets($0) }
    }?.rawValue
  }

  typealias Case = (trimmed: Int64, last: Int64, batches: [ClosedRange<Int64>], next: Int64?)

  static let cases: [Case] = [
    // Without batches: as far as it may.
    (trimmed: 0, last: 1_000, batches: [], next: 100),
    (trimmed: 0, last: 40, batches: [], next: 40),
    (trimmed: 40, last: 40, batches: [], next: nil),
    (trimmed: 50, last: 40, batches: [], next: nil),
    // Whole batches.
    (trimmed: 0, last: 1_000, batches: [1...60, 61...120], next: 60),
    (trimmed: 0, last: 1_000, batches: [1...50, 51...100], next: 100),
    (trimmed: 0, last: 59, batches: [1...60], next: nil),
    (trimmed: 0, last: 60, batches: [1...60], next: 60),
    // Longer than a step.
    (trimmed: 0, last: 1_000, batches: [1...700, 701...900], next: 700),
    (trimmed: 0, last: 699, batches: [1...700], next: nil),
    // A short one before it goes first.
    (trimmed: 0, last: 1_000, batches: [1...7, 8...700], next: 7),
    // Of two consumers, with their ends apart.
    (trimmed: 0, last: 1_000, batches: [1...60, 61...120, 1...40, 41...110, 111...150], next: 150),
    (trimmed: 0, last: 1_000, batches: [1...60, 61...90, 1...40, 41...90, 91...200], next: 90),
    (trimmed: 0, last: 140, batches: [1...60, 61...120, 1...40, 41...110, 111...150], next: nil),
    // Behind an earlier half.
    (trimmed: 30, last: 1_000, batches: [1...60, 61...180], next: 60),
  ]

  @Test(arguments: cases) func `a batch goes whole or not at all`(_ test: Case) {
    #expect(next(after: test.trimmed, through: test.last, batches: test.batches) == test.next)
  }
}

@Suite struct UpkeepScheduleTests {
  @Test func `upkeep takes a quarter of the time and lets commits go first`() {
    var pace = UpkeepPace(dueAt: .seconds(10))
    #expect(!pace.isDue(now: .milliseconds(9_999), isCommitDue: false))
    #expect(pace.isDue(now: .seconds(10), isCommitDue: false))
    #expect(!pace.isDue(now: .seconds(10), isCommitDue: true))
    #expect(pace.isDue(now: .milliseconds(10_020), isCommitDue: true))
    pace.finished(from: .seconds(10), to: .milliseconds(10_004), didWork: true)
    #expect(pace.dueAt == .milliseconds(10_016))
    pace.finished(from: .milliseconds(10_016), to: .milliseconds(10_017), didWork: false)
    #expect(pace.dueAt == .milliseconds(11_017))
  }

  @Test func `pages are given back once a fifth is free and then all`() {
    var schedule = VacuumSchedule()
    #expect(schedule.pages(free: 200, total: 300, isSpaceShort: false) == 0)
    #expect(schedule.pages(free: 2_000, total: 10_000, isSpaceShort: false) == 0)
    #expect(schedule.pages(free: 2_001, total: 10_000, isSpaceShort: false) == 64)
    #expect(schedule.pages(free: 100, total: 8_000, isSpaceShort: false) == 64)
    #expect(schedule.pages(free: 36, total: 7_936, isSpaceShort: false) == 36)
    #expect(schedule.pages(free: 0, total: 7_900, isSpaceShort: false) == 0)
    #expect(schedule.pages(free: 300, total: 7_900, isSpaceShort: false) == 0)
    #expect(schedule.pages(free: 3, total: 7_900, isSpaceShort: true) == 3)
  }
}
