import Testing

@testable import WAL
@testable import tickwal

@Suite struct HealthReportTests {
  private static let now: Int64 = 1_795_238_000_000_000

  private func report(
    _ change: (inout ControlAnswer.Feed) -> Void = { _ in }, view: FeedView? = nil, gaps: [Gap] = [],
    lag: Int = 0, age: Double = 0, isEnabled: Bool = true, hold: Hold? = nil, wasKilled: Bool = false
  ) -> HealthReport {
    var feed = ControlAnswer.Feed(
      state: .running, connected: true, since: Self.now - 60_000_000, connections: 1, plannedConnections: 1,
      streams: 2, granted: 2)
    feed.process = ControlAnswer.Feed.Process(disk: "normal", maximumAge: ["s3": 130])
    change(&feed)
    let consumer = LogStatus.Consumer(
      name: ConsumerName(rawValue: "s3"), next: .first, lag: lag, oldestUnshippedSeconds: age,
      destination: "{}",
      isEnabled: isEnabled, expired: 0, deadLetters: 0, skipped: 0, openBatches: 0, hold: hold)
    return HealthReport(
      status: LogStatus(
        logID: LogID(rawValue: "0123456789abcdef"), head: Offset(rawValue: 5), oldest: .first,
        lastReceivedAt: nil, consumers: [consumer], openGaps: gaps, endedGaps: 0, recentGaps: [:],
        completeness: nil, readAt: Self.now, rejectedInput: 0, fileBytes: 1, walBytes: 0, writerPID: 42,
        feed: LogStatus.Feed(streams: 2, hasNoEnd: wasKilled)), view: view ?? .told(feed))
  }

  private func gap(_ streams: [String], _ cause: Gap.Cause = .closed) -> Gap {
    Gap(
      id: Gap.ID(rawValue: 1), startedAt: Self.now - 120_000_000, endedAt: nil, cause: cause,
      streams: streams)
  }

  @Test func `all well is one word`() {
    #expect(report().lines == ["healthy"])
    #expect(report().readiness.isReady)
    #expect(report(lag: 5_000, age: 130).isHealthy)
  }

  @Test(arguments: [FeedView.noProcess, .notListening, .noAnswer("late")])
  func `without a process that answers nothing is well`(view: FeedView) {
    #expect(report(view: view).problems.map(\.part) == ["process"])
    #expect(report(view: view).lines.first == "not healthy:")
  }

  @Test func `a run that was killed is told from one that was stopped`() {
    #expect(!report(view: .noProcess).lines[1].contains("killed"))
    #expect(
      report(view: .noProcess, wasKilled: true).lines[1].contains(
        "the last one did not end in order: it was killed, or the machine stopped"))
  }

  @Test func `a feed that is cut says since when, and when it tries again`() {
    let report = report {
      $0.connected = false
      $0.nextAttemptAt = Self.now
    }
    #expect(
      report.lines[1].hasPrefix("  feed for 60 s: not connected to the exchange; the next attempt is at 20"))
    #expect(!report.readiness.isReady)
    #expect(report.readiness.document.text.contains(#""part":"feed","well":false"#))
    #expect(report.readiness.document.text.contains(#""part":"log","well":true"#))
  }

  @Test func `a gap of some streams is no reason to take the process out, one of all is`() {
    let some = report(gaps: [gap(["a"])])
    #expect(!some.isHealthy && some.readiness.isReady)
    #expect(some.lines[1].hasPrefix("  feed for 2 min: 1 stream is in an open gap (closed)"))
    #expect(!report(gaps: [gap(["a"]), gap(["b"])]).readiness.isReady)
  }

  @Test(arguments: [("low", true), ("stop", false), ("full", false)])
  func `a volume that fills up is said, and without room for ticks nothing is ready`(
    disk: String, isReady: Bool
  ) {
    let report = report { $0.process?.disk = disk }
    #expect(report.problems.map(\.part) == ["log"])
    #expect(report.readiness.isReady == isReady)
  }

  @Test func `a feed that is paused for want of room is the volume's trouble alone, and says since when`() {
    let gaps = [gap(["a", "b"], .diskFull)]
    let full = report({ $0.process?.disk = "full" }, gaps: gaps)
    #expect(full.problems.map(\.part) == ["log"])
    #expect(
      full.lines.suffix(2) == [
        "  log for 2 min: the log's volume is full: the feed is paused",
        "    → make room on the volume; it goes on by itself",
      ])
    // With room again nothing else says that the ticks have not come yet.
    #expect(report(gaps: gaps).problems.map(\.part) == ["feed"])
    // Another gap beside it is the exchange's.
    let both = report({ $0.process?.disk = "stop" }, gaps: gaps + [gap(["b"])])
    #expect(both.problems.map(\.part) == ["log", "feed"])
    #expect(both.lines[3].contains("1 stream is in an open gap (closed)"))
  }

  @Test func `a log whose writer does not come back takes no ticks, and nothing is ready`() {
    let busy = { (seconds: Double) in self.report { $0.process?.writerBusySeconds = seconds }.isHealthy }
    #expect(busy(9))
    let stuck = report { $0.process?.writerBusySeconds = 25 }
    #expect(
      stuck.lines[1]
        == "  log for 25 s: the writer has been at one piece of work for 25 s: no tick becomes durable meanwhile"
    )
    #expect(!stuck.readiness.isReady)
    let full = report {
      $0.process?.writerBusySeconds = 25
      $0.paused = true
    }
    #expect(full.problems.count == 1)
    #expect(full.lines[1].hasSuffix("; the queue before it is full: the feed is paused"))
    // What no process can mean ends nothing.
    #expect(busy(.nan) && !busy(.infinity))
  }

  @Test func `a consumer that is held, refused or late says how far it is behind`() {
    let held = report(lag: 29_300, hold: Hold(since: Self.now - 120_000_000, why: "the key is taken"))
    #expect(held.lines[1].hasPrefix("  s3 for 2 min: held: the key is taken; 29,300 behind"))
    #expect(!held.readiness.isReady)
    let refused = report(
      {
        $0.process?.troubles = [
          .init(consumer: "s3", since: Self.now - 120_000_000, failures: 4, error: "PutObject: NoSuchBucket")
        ]
        $0.process?.rates = .init(appended: 150, shipped: ["s3": 50])
      }, lag: 29_300, age: 20)
    #expect(
      refused.lines[1].hasPrefix(
        "  s3 for 2 min: deliveries fail, 4 times by now: PutObject: NoSuchBucket; 29,300 behind, growing 100/s"
      ))
    #expect(refused.readiness.isReady)
    let lateToo = report(
      {
        $0.process?.troubles = [
          .init(consumer: "s3", since: Self.now, failures: 4, error: "PutObject: NoSuchBucket")
        ]
      }, lag: 9, age: 7 * 3_600)
    #expect(lateToo.lines[1].hasSuffix("NoSuchBucket; 9 behind, the oldest 7 h old"))
    let done = report {
      $0.process?.troubles = [
        .init(consumer: "s3", since: Self.now, failures: 4, error: "the connection was lost")
      ]
    }
    // With nothing left to deliver, no delivery could show that the trouble is over.
    #expect(done.isHealthy)
    let late = report({ $0.process?.rates = .init(appended: 50, shipped: ["s3": 150]) }, lag: 1_000, age: 131)
    #expect(late.lines[1].contains("1,000 behind, shrinking 100/s, caught up in 10 s"))
    #expect(!late.readiness.isReady)
    #expect(report(lag: 1_000, age: 131, isEnabled: false).isHealthy)
  }

  @Test func `a loop that does not turn is not alive, and a busy writer is`() {
    var liveness = ProcessLiveness(
      writerBusyFor: WriterWork(time: .seconds(500), processorTime: .seconds(60)), now: .seconds(1_000))
    #expect(liveness.isAlive && liveness.document.text.contains(#""busy_seconds":500"#))
    liveness.writerBusyFor?.processorTime = .seconds(61)
    #expect(!liveness.isAlive && liveness.document.text.contains("it has computed for 1 min"))
    liveness.writerBusyFor = nil
    #expect(liveness.isAlive)
    liveness.feedTurnedAt = .seconds(965)
    #expect(!liveness.isAlive)
    liveness.isFeedOver = true
    #expect(liveness.isAlive)
    liveness.writerFailure = "the disk has gone"
    #expect(!liveness.isAlive && liveness.document.text.contains("the disk has gone"))
  }

  /// The process on the socket may be anybody's.
  @Test(arguments: [1e300, -1e300, Double.infinity, .nan])
  func `numbers that no process can mean end nothing`(_ number: Double) {
    let report = report(
      {
        $0.process?.rates = .init(appended: number, shipped: ["s3": 1])
        $0.process?.maximumAge = ["s3": number]
      }, lag: 1_000, age: 1_000)
    #expect(!report.lines.isEmpty)
  }

  @Test(arguments: [Int64.min, .max])
  func `times that no process can mean end nothing`(_ time: Int64) {
    let report = report {
      $0.connected = false
      $0.since = time
      $0.nextAttemptAt = time
    }
    #expect(!report.lines.isEmpty && !report.isHealthy)
    #expect(!self.report(lag: 1, age: Double(Int64.max) / 1e6).isHealthy)
  }

  @Test func `rates are those of the last half minute`() {
    var memory = RateMemory()
    #expect(memory.rates == nil)
    for turn in 0..<20 {
      let turn = Int64(turn)
      memory.add(.init(time: .seconds(5 * turn), head: turn * turn, next: ["s3": turn * 10]))
    }
    #expect(memory.rates == .init(appended: Double(19 * 19 - 13 * 13) / 30, shipped: ["s3": 2]))
  }
}
