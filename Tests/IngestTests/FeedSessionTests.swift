import Base
import Testing
import WAL

@testable import Ingest

/// One test for each rule. Times in seconds; random is 0, so back-off waits half of 1, 2, 4 … 8 s.
@Suite struct FeedSessionTests {
  private let feed = Driven()

  private func id(_ number: Int) -> FeedSession.ConnectionID { .init(number: number) }

  /// Started at 0, open at 1, data at 2 (2,000 µs).
  private func live() {
    feed.at(0, .started)
    feed.at(1, .opened(id(1), at: 1_000))
    feed.at(2, .data(id(1), receivedAt: 2_000))
  }

  /// Live, and a replacement is asked for at 10 and open at 11.
  private func standby(listChanged: Bool = false) {
    live()
    feed.at(10, .rotate(listChanged: listChanged))
    feed.at(11, .opened(id(2), at: 11_000))
  }

  // MARK: Connecting

  @Test func `a start connects; while it opens, only the time limit counts`() {
    #expect(feed.at(0, .started) == [.connect(id(1))])
    #expect(feed.deadline == 30)
    #expect(feed.at(1, .opened(id(1), at: 1_000)) == [])
    #expect(feed.at(2, .data(id(1), receivedAt: 2_000)) == [])
    #expect(feed.lastDataAt == 2_000)
  }

  @Test func `a first attempt that fails opens a gap from the start, the next ones none, only data ends it`()
  {
    feed.at(0, .started)
    #expect(feed.at(1, .ended(id(1), cause: .closed)) == [.openGap(startedAt: 500, cause: .refused)])
    #expect(feed.deadline == 1.5)
    #expect(feed.at(1.5, .timer) == [.connect(id(2))])
    #expect(feed.at(2, .ended(id(2), cause: .closed)) == [])
    #expect(feed.deadline == 3)
    #expect(feed.at(3, .timer) == [.connect(id(3))])
    #expect(feed.at(4, .opened(id(3), at: 4_000)) == [])
    #expect(feed.at(5, .arrived(id(3))) == [])
    #expect(feed.at(6, .data(id(3), receivedAt: 6_000)) == [.closeGap(endedAt: 6_000)])
    #expect(feed.at(7, .data(id(3), receivedAt: 7_000)) == [])
  }

  @Test func `data that comes before everything is subscribed ends no gap`() {
    feed.at(0, .started)
    feed.at(1, .ended(id(1), cause: .closed))
    feed.at(2, .timer)
    #expect(feed.at(3, .data(id(2), receivedAt: 3_000)) == [])
    feed.at(4, .opened(id(2), at: 4_000))
    #expect(feed.at(5, .data(id(2), receivedAt: 5_000)) == [.closeGap(endedAt: 5_000)])
  }

  @Test(arguments: [Gap.Cause.closed, .queueFull, .diskFull])
  func `a loss opens a gap from the last data, with its cause`(_ cause: Gap.Cause) {
    live()
    #expect(feed.at(3, .ended(id(1), cause: cause)) == [.openGap(startedAt: 2_000, cause: cause)])
    #expect(feed.at(3.5, .timer) == [.connect(id(2))])
  }

  @Test func `a gap of an earlier run stays the only one until the first data, which is not ours to note`() {
    let feed = Driven(isCovered: true)
    feed.at(0, .started)
    #expect(feed.at(1, .ended(id(1), cause: .closed)) == [])
    feed.at(2, .timer)
    feed.at(3, .opened(id(2), at: 3_000))
    #expect(feed.at(4, .data(id(2), receivedAt: 4_000)) == [])
    #expect(
      feed.at(5, .ended(id(2), cause: .closed)) == [.openGap(startedAt: 4_000, cause: .closed)])
  }

  @Test func `a gap never ends before it begins, though the clock is set back`() {
    live()
    feed.at(3, .ended(id(1), cause: .closed))
    feed.at(4, .timer)
    feed.at(5, .opened(id(2), at: 500))
    #expect(feed.at(6, .data(id(2), receivedAt: 600)) == [.closeGap(endedAt: 2_000)])
  }

  @Test func `an attempt that takes too long is abandoned, and what it still says is ignored`() {
    feed.at(0, .started)
    #expect(
      feed.at(30, .timer) == [
        .abandon(id(1)), .report(.openingTimedOut(id(1))), .openGap(startedAt: 500, cause: .refused),
      ])
    for event in [.opened(id(1), at: 1), .data(id(1), receivedAt: 9), .ended(id(1), cause: .closed)]
      as [FeedSession.Event]
    {
      #expect(feed.at(30, event) == [])
    }
    #expect(feed.lastDataAt == 500)
    #expect(feed.at(30.5, .timer) == [.connect(id(2))])
  }

  @Test(arguments: [(4.0, 2.0), (6.0, 1.0), (11.0, 0.5), (60.0, 0.5)])
  func `back-off recovers while all is well, and starts again after a healthy minute`(
    _ seconds: Double, _ pause: Double
  ) {
    feed.at(0, .started)
    feed.at(0, .ended(id(1), cause: .closed))
    feed.at(0.5, .timer)
    feed.at(0.5, .ended(id(2), cause: .closed))
    feed.at(2, .timer)
    feed.at(2, .opened(id(3), at: 2_000))
    feed.at(2 + seconds, .data(id(3), receivedAt: 3_000))
    feed.at(2 + seconds, .ended(id(3), cause: .closed))
    #expect(feed.deadline == 2 + seconds + pause)
  }

  @Test func `a minute made up of several connections without a break is healthy, too`() {
    feed.at(0, .started)
    feed.at(0, .ended(id(1), cause: .closed))
    feed.at(0.5, .timer)
    feed.at(1, .opened(id(2), at: 1_000))
    feed.at(40, .rotate(listChanged: true))
    feed.at(41, .opened(id(3), at: 41_000))
    #expect(feed.at(42, .compared(caughtUp)).contains(.release))
    feed.at(62, .ended(id(3), cause: .closed))
    #expect(feed.deadline == 62.5)
  }

  // MARK: Attempts

  @Test func `attempts of all slots and of earlier runs count, and waiting is said once`() {
    let feed = Driven(attempts: AttemptLimiter(limit: 3, window: .seconds(300), ages: [.seconds(290)]))
    feed.attempts.record(at: .zero)
    #expect(feed.at(0, .started) == [.connect(id(1))])
    feed.at(1, .ended(id(1), cause: .closed))
    #expect(feed.at(2, .timer) == [.report(.attemptsUsedUp(wait: .seconds(8)))])
    #expect(feed.deadline == 10)
    feed.attempts.record(at: .seconds(10))
    #expect(feed.at(10, .timer) == [])
    #expect(feed.deadline == 300)
    #expect(feed.at(300, .timer) == [.connect(id(2))])
  }

  @Test func `replacements leave the last tenth of the attempts to those that have no connection`() {
    let feed = Driven(attempts: AttemptLimiter(limit: 10, window: .seconds(300)))
    feed.at(0, .started)
    feed.at(1, .opened(id(1), at: 1_000))
    for _ in 0..<8 { feed.attempts.record(at: .seconds(1)) }
    #expect(
      feed.at(2, .rotate(listChanged: false)) == [
        .report(.rotating(.requested)), .report(.attemptsUsedUp(wait: .seconds(298))),
      ])
    feed.at(3, .ended(id(1), cause: .closed))
    #expect(feed.at(3.5, .timer) == [.connect(id(2))])
  }

  @Test func `in a pause that the exchange asks for, nothing is dialed, and no limit is blamed`() {
    feed.at(0, .started)
    _ = feed.attempts.hold(until: .seconds(120))
    #expect(feed.at(1, .ended(id(1), cause: .refused)) == [.openGap(startedAt: 500, cause: .refused)])
    #expect(feed.at(1.5, .timer) == [])
    #expect(feed.deadline == 120)
    #expect(feed.at(120, .timer) == [.connect(id(2))])
  }

  @Test func `in a pause that the exchange asks for, no second connection is dialed either`() {
    live()
    _ = feed.attempts.hold(until: .seconds(60))
    #expect(feed.at(10, .rotate(listChanged: false)) == [.report(.rotating(.requested))])
    #expect(
      feed.at(60, .timer).suffix(2) == [.beginOverlap(primary: id(1), standby: id(2)), .connect(id(2))])
  }

  // MARK: Liveness

  @Test func `a ping every 20 s; anything at all is an answer`() {
    live()
    #expect(feed.deadline == 21)
    #expect(feed.at(21, .timer) == [.ping(id(1))])
    #expect(feed.deadline == 31)
    feed.at(30, .arrived(id(1)))
    #expect(feed.deadline == 41)
    #expect(feed.at(41, .timer) == [.ping(id(1))])
    feed.at(42, .data(id(1), receivedAt: 42_000))
    #expect(feed.at(61, .timer) == [.ping(id(1))])
  }

  @Test func `no answer: dead, a gap, a new connection at once; but the next time after a pause`() {
    live()
    feed.at(21, .timer)
    #expect(feed.at(31, .timer) == [.ping(id(1))])
    #expect(feed.deadline == 51)
    #expect(
      feed.at(51, .timer) == [
        .abandon(id(1)), .report(.noAnswer(id(1))), .openGap(startedAt: 2_000, cause: .stale),
        .connect(id(2)),
      ])
    feed.at(52, .opened(id(2), at: 52_000))
    feed.at(72, .timer)
    feed.at(82, .timer)
    #expect(feed.at(102, .timer) == [.abandon(id(2)), .report(.noAnswer(id(2)))])
    #expect(feed.deadline == 102.5)
    #expect(feed.at(102.5, .timer) == [.connect(id(3))])
  }

  @Test func `a connection in doubt that is replaced leaves a gap, for it may have been dead`() {
    live()
    #expect(feed.at(21, .timer) == [.ping(id(1))])
    feed.at(25, .rotate(listChanged: false))
    feed.at(26, .opened(id(2), at: 26_000))
    #expect(feed.at(31, .timer) == [.ping(id(1))])
    #expect(
      feed.at(36, .timer) == [
        .openGap(startedAt: 2_000, cause: .stale), .release, .close(id(1)), .report(.noAnswer(id(1))),
        .report(.rotated(id(2))),
      ])
  }

  @Test func `while sockets are not read no clock of theirs runs, and none blames them afterwards`() {
    live()
    feed.at(21, .timer)
    feed.at(25, .paused)
    #expect(feed.deadline == nil)
    #expect(feed.at(1_000, .timer) == [])
    #expect(feed.at(1_000, .rotate(listChanged: false)) == [.report(.rotating(.requested))])
    #expect(feed.deadline == nil)
    #expect(
      feed.at(1_025, .resumed)
        == [.ping(id(1)), .beginOverlap(primary: id(1), standby: id(2)), .connect(id(2))])
    #expect(feed.deadline == 1_031)
    #expect(feed.at(1_031, .timer) == [.ping(id(1))])
    #expect(feed.at(1_051, .timer).first == .abandon(id(1)))
  }

  @Test func `a connection that is lost after a long pause may have missed all of it`() {
    live()
    feed.at(3, .paused)
    feed.at(100, .resumed)
    feed.at(100, .data(id(1), receivedAt: 100_000))
    #expect(
      feed.at(101, .ended(id(1), cause: .diskFull)) == [.openGap(startedAt: 2_000, cause: .diskFull)])
  }

  // MARK: A process that did not run

  @Test func `a connection that ended while the process was frozen may have missed ticks since before`() {
    live()
    // What lay in the socket is read now.
    #expect(feed.at(42, .thawed(since: .seconds(3))) == [.ping(id(1))])
    feed.at(42, .data(id(1), receivedAt: 42_000))
    feed.at(42, .arrived(id(1)))
    #expect(feed.lastDataAt == 2_000)
    #expect(
      feed.at(42, .ended(id(1), cause: .closed)) == [.openGap(startedAt: 2_000, cause: .frozen)])
  }

  @Test func `a connection that answers after a freeze has missed nothing`() {
    live()
    feed.at(42, .thawed(since: .seconds(3)))
    feed.at(42, .data(id(1), receivedAt: 42_000))
    #expect(feed.at(42, .answered(id(1))) == [])
    #expect(feed.lastDataAt == 42_000)
    #expect(
      feed.at(43, .ended(id(1), cause: .closed)) == [.openGap(startedAt: 42_000, cause: .closed)])
  }

  @Test func `one that is dead after a freeze was lost in it, and nobody is blamed for the time itself`() {
    live()
    // An answer that was due meanwhile may lie in the socket.
    feed.at(21, .timer)
    #expect(feed.at(600, .thawed(since: .seconds(25))) == [.ping(id(1))])
    #expect(
      feed.keepQuiet(until: .openGap(startedAt: 2_000, cause: .frozen)).map { $0 > 605 } == true)
  }

  @Test func `a full disk in a freeze is a full disk`() {
    live()
    feed.at(42, .thawed(since: .seconds(3)))
    #expect(
      feed.at(42, .ended(id(1), cause: .diskFull)) == [.openGap(startedAt: 2_000, cause: .diskFull)])
  }

  // MARK: A connection that lags

  @Test func `what a lagging connection owes is missing if it ends`() {
    live()
    feed.at(20, .data(id(1), receivedAt: 20_000_000, lag: .seconds(15)))
    #expect(feed.lastDataAt == 5_000_000)
    #expect(
      feed.at(20, .ended(id(1), cause: .closed)) == [.openGap(startedAt: 5_000_000, cause: .closed)])
  }

  @Test func `a lag takes back nothing that came on time`() {
    live()
    feed.at(20, .data(id(1), receivedAt: 20_000_000))
    feed.at(21, .data(id(1), receivedAt: 21_000_000, lag: .seconds(15)))
    #expect(feed.lastDataAt == 20_000_000)
  }

  @Test func `an old connection that lags is kept until it has delivered what it owes`() {
    standby()
    let owing = FeedSession.Standing(owed: 1, isLagging: true)
    feed.at(12, .data(id(1), receivedAt: 12_000))
    feed.at(12, .data(id(2), receivedAt: 12_000))
    feed.at(12, .compared(owing))
    #expect(feed.at(21, .timer).contains(.report(.predecessorLags(id(1)))))
    for second in 22..<200 {
      feed.at(Double(second), .data(id(1), receivedAt: Int64(second) * 1_000))
      feed.at(Double(second), .data(id(2), receivedAt: Int64(second) * 1_000))
      #expect(!feed.at(Double(second), .compared(owing)).contains(.release))
    }
    feed.at(200, .data(id(1), receivedAt: 200_000))
    #expect(feed.at(200, .compared(caughtUp)).contains(.release))
  }

  @Test func `what a standby passed over is missing, if the old connection has not got there either`() {
    standby()
    feed.at(12, .data(id(1), receivedAt: 12_000_000))
    feed.at(12, .data(id(2), receivedAt: 12_000_000))
    feed.at(13, .rejected(id(2), messages: 3))
    feed.at(19, .data(id(2), receivedAt: 19_000_000))
    feed.at(20, .data(id(1), receivedAt: 20_000_000, lag: .seconds(5)))
    #expect(
      feed.at(20, .compared(caughtUp)).prefix(2) == [
        .openGap(startedAt: 15_000_000, cause: .stale), .closeGap(endedAt: 19_000_000),
      ])
  }

  // MARK: What is no tick

  @Test func `what is no tick ends no gap and no silence`() {
    feed.at(0, .started)
    feed.at(1, .ended(id(1), cause: .closed))
    feed.at(2, .timer)
    feed.at(3, .opened(id(2), at: 3_000))
    for second in 4..<70 { feed.at(Double(second), .rejected(id(2))) }
    #expect(feed.lastDataAt == 500)
    // It is silent, and a second one looks whether there is any data.
    #expect(feed.connects == 3)
  }

  @Test func `messages that are no ticks, in the place of ticks, are a gap; one among ticks is none`() {
    live()
    feed.at(3, .rejected(id(1)))
    feed.at(4, .rejected(id(1)))
    feed.at(5, .data(id(1), receivedAt: 5_000))
    for tenth in 51...52 { #expect(feed.at(Double(tenth) / 10, .rejected(id(1))) == []) }
    #expect(
      feed.at(5.3, .rejected(id(1))) == [.openGap(startedAt: 5_000, cause: .stale)])
    #expect(feed.at(7, .rejected(id(1))) == [])
    #expect(feed.at(8, .data(id(1), receivedAt: 8_000)) == [.closeGap(endedAt: 8_000)])
    // Several of one read count as several.
    #expect(feed.at(9, .rejected(id(1), messages: 2)) == [])
    #expect(feed.at(9, .rejected(id(1), messages: 1)) == [.openGap(startedAt: 8_000, cause: .stale)])
  }

  // MARK: A standby that lacks streams

  @Test func `nothing is decided while a stream has still to show whether the standby has it`() {
    standby()
    feed.at(12, .data(id(1), receivedAt: 12_000))
    feed.at(12, .data(id(2), receivedAt: 12_000))
    feed.at(12, .compared(.init(undecided: 1)))
    for number in [1, 2] { feed.at(20, .arrived(id(number))) }
    #expect(!feed.at(22, .timer).contains(.release))
    #expect(feed.at(23, .compared(.init())).contains(.release))
  }

  @Test func `a standby that lacks streams never takes over; after a minute another one is tried`() {
    standby()
    let lacking = FeedSession.Standing(lacking: 3)
    feed.at(12, .data(id(1), receivedAt: 12_000))
    feed.at(12, .data(id(2), receivedAt: 12_000))
    feed.at(12, .compared(lacking))
    #expect(feed.at(21, .timer).contains(.report(.successorLacks(id(2), streams: 3))))
    feed.at(60, .data(id(1), receivedAt: 60_000))
    feed.at(60, .data(id(2), receivedAt: 60_000))
    for number in [1, 2] { feed.at(61, .arrived(id(number))) }
    let later = feed.at(71, .timer)
    #expect(later.first == .close(id(2)))
    #expect(
      later.contains(.report(.successorGivenUp(id(2), streams: 3, nextAfter: .seconds(15)))))
    #expect(!later.contains(.release))
    feed.at(72, .ended(id(2), cause: .closed))
    feed.at(82, .arrived(id(1)))
    #expect(feed.at(86, .timer).contains(.connect(id(3))))
  }

  @Test func `before the old one's end a standby that lacks streams is kept, and goes on without it`() {
    standby()
    feed.at(12, .data(id(1), receivedAt: 12_000))
    feed.at(12, .data(id(2), receivedAt: 12_000))
    feed.at(12, .compared(.init(lacking: 3)))
    feed.at(21, .timer)
    for number in [1, 2] { feed.at(22, .arrived(id(number))) }
    feed.at(60, .shutdownAnnounced(id(1)))
    for number in [1, 2] { feed.at(61, .arrived(id(number))) }
    let actions = feed.at(71, .timer)
    #expect(!actions.contains(.close(id(2))))
    #expect(feed.deadline.map { $0 > 71 } == true)
    #expect(feed.at(72, .ended(id(1), cause: .closed)).contains(.release))
  }

  @Test func `a rotation without a common tick is said`() {
    standby()
    feed.at(12, .data(id(1), receivedAt: 12_000))
    feed.at(12, .data(id(2), receivedAt: 12_000))
    feed.at(12, .compared(.init(differing: 4)))
    #expect(
      feed.at(21, .timer) == [
        .release, .close(id(1)), .report(.rotated(id(2))), .report(.nothingInCommon(id(2))),
      ])
  }

  @Test func `a while after a pause, and after a short one, data counts again`() {
    live()
    feed.at(3, .paused)
    feed.at(100, .resumed)
    feed.at(110, .data(id(1), receivedAt: 110_000))
    feed.at(111, .paused)
    feed.at(111.5, .resumed)
    feed.at(112, .data(id(1), receivedAt: 112_000))
    #expect(
      feed.at(113, .ended(id(1), cause: .closed)) == [.openGap(startedAt: 112_000, cause: .closed)])
  }

  // MARK: Silence

  /// Live, silent though it answers; the probe is dialed at 62.
  private func probing() {
    live()
    feed.at(61, .timer)
    feed.at(61, .arrived(id(1)))
    feed.at(62, .timer)
  }

  @Test func `no data for a minute, whatever else arrives: a second connection beside the first`() {
    live()
    for second in stride(from: 3.0, to: 62, by: 1) {
      let actions = feed.at(second, .arrived(id(1)))
      #expect(actions == [] || actions == [.ping(id(1))])
    }
    #expect(
      feed.at(62, .arrived(id(1))) == [
        .report(.silent(.seconds(60))), .beginOverlap(primary: id(1), standby: id(2)), .connect(id(2)),
      ])
  }

  @Test func `the second has data and the first still has none: it takes over, with a gap between them`() {
    probing()
    feed.at(63, .opened(id(2), at: 63_000))
    #expect(feed.at(64, .data(id(2), receivedAt: 64_000)) == [])
    #expect(
      feed.at(66, .timer) == [
        .openGap(startedAt: 2_000, cause: .stale), .closeGap(endedAt: 64_000), .release, .close(id(1)),
        .report(.subscriptionDead(id(1))),
      ])
    #expect(feed.at(67, .data(id(2), receivedAt: 67_000)) == [])
    #expect(feed.at(71, .timer) == [.abandon(id(1))])
  }

  @Test func `the first has data a moment after the second: the market was quiet`() {
    probing()
    feed.at(63, .opened(id(2), at: 63_000))
    feed.at(64, .data(id(2), receivedAt: 64_000))
    #expect(
      feed.at(64.5, .data(id(1), receivedAt: 64_500)) == [.close(id(2)), .report(.marketWasQuiet)])
    #expect(feed.at(66, .timer) == [])
    #expect(feed.at(66, .ended(id(2), cause: .closed)) == [])
  }

  @Test func `the first has data before the second is open: the second is dropped`() {
    probing()
    #expect(
      feed.at(62.5, .data(id(1), receivedAt: 62_500)) == [.abandon(id(2)), .report(.marketWasQuiet)])
    feed.at(120, .arrived(id(1)))
    #expect(feed.at(122.5, .arrived(id(1))).last == .connect(id(3)))
  }

  @Test func `both silent: the first stays; the next look is after twice the time, up to 64 times`() throws {
    probing()
    var now = 62.0
    var waits: [Double] = []
    for number in 2..<11 {
      #expect(feed.last.last == .connect(id(number)))
      feed.at(now, .opened(id(number), at: 1))
      var actions: [FeedSession.Action] = []
      for _ in 0..<12 {
        now += 5
        for number in [1, number] { actions += feed.at(now, .arrived(id(number))) }
      }
      #expect(actions.contains(.close(id(number))))
      feed.at(now, .ended(id(number), cause: .closed))
      feed.at(now, .arrived(id(1)))
      let next = try #require(feed.keepAlive(id(1), until: .connect(id(number + 1))))
      waits.append((next - now).rounded())
      now = next
    }
    #expect(waits == [2, 4, 8, 16, 32, 64, 64, 64, 64].map { $0 * 60 })
  }

  @Test func `a probe that is lost says nothing of the market, and is tried again soon`() {
    probing()
    #expect(
      feed.at(62.5, .ended(id(2), cause: .closed)) == [
        .report(.successorLost(id(2), nextAfter: .milliseconds(500)))
      ])
    #expect(feed.at(63, .arrived(id(1))).last == .connect(id(3)))
    #expect(
      feed.at(63.5, .data(id(1), receivedAt: 63_500)) == [.abandon(id(3)), .report(.marketWasQuiet)])
  }

  @Test func `a probe that is open and silent is closed after the same time`() {
    probing()
    feed.at(63, .opened(id(2), at: 63_000))
    feed.at(100, .arrived(id(1)))
    feed.at(100, .arrived(id(2)))
    for number in 1...2 { feed.at(122, .arrived(id(number))) }
    #expect(
      feed.at(123, .timer) == [.close(id(2)), .report(.nothingFound(nextAfter: .seconds(120)))])
  }

  // MARK: Replacing

  @Test(arguments: [(0.0, 950.0), (0.5, 975.0)])
  func `a connection is replaced at 95 to 100 % of its greatest age`(_ random: Double, _ seconds: Double) {
    var limits = FeedSession.Limits()
    limits.maximumAge = .seconds(1_000)
    let feed = Driven(limits: limits)
    feed.at(0, .started)
    feed.at(0, .opened(id(1), at: 0), random: random)
    let time = feed.keepAlive(id(1), withData: true, until: .connect(id(2)))
    #expect(time == seconds)
    #expect(feed.last.first == .report(.rotating(.age)))
  }

  @Test func `an announced shutdown and a request begin a replacement, one at a time`() {
    live()
    feed.at(70, .data(id(1), receivedAt: 70_000))
    #expect(
      feed.at(71, .shutdownAnnounced(id(1))) == [
        .report(.rotating(.shutdownAnnounced)), .beginOverlap(primary: id(1), standby: id(2)),
        .connect(id(2)),
      ])
    #expect(feed.at(72, .shutdownAnnounced(id(1))) == [])
    #expect(feed.at(72, .rotate(listChanged: false)) == [])
  }

  @Test func `a server that announces the end of each new connection is dialed ever less often`() {
    live()
    #expect(feed.at(3, .shutdownAnnounced(id(1))) == [.report(.rotating(.shutdownAnnounced))])
    #expect(feed.deadline == 3.5)
  }

  @Test func `the successor takes over when it has caught up, and the old one drains`() {
    standby()
    #expect(feed.at(12, .data(id(1), receivedAt: 12_000)) == [])
    #expect(feed.at(12, .data(id(2), receivedAt: 12_100)) == [])
    #expect(feed.at(12, .compared(caughtUp)) == [.release, .close(id(1)), .report(.rotated(id(2)))])
    #expect(feed.at(13, .data(id(1), receivedAt: 13_000)) == [])
    // The successor might still miss what the old one has.
    #expect(feed.lastDataAt == 12_100)
    #expect(feed.at(14, .ended(id(1), cause: .closed)) == [])
    #expect(
      feed.at(15, .ended(id(2), cause: .closed)) == [.openGap(startedAt: 12_100, cause: .closed)])
  }

  @Test func `an old connection that does not end is dropped after five seconds`() {
    standby(listChanged: true)
    feed.at(12, .compared(caughtUp))
    #expect(feed.deadline == 17)
    #expect(feed.at(17, .timer) == [.abandon(id(1))])
  }

  @Test func `ten seconds are enough if both have delivered, or neither has`() {
    for isQuiet in [false, true] {
      let feed = Driven()
      feed.at(0, .started)
      feed.at(1, .opened(id(1), at: 1_000))
      feed.at(10, .rotate(listChanged: false))
      feed.at(11, .opened(id(2), at: 11_000))
      for number in isQuiet ? [] : [1, 2] {
        feed.at(12, .data(id(number), receivedAt: 12_000))
      }
      #expect(feed.at(20.9, .timer) == [])
      #expect(feed.at(21, .timer) == [.release, .close(id(1)), .report(.rotated(id(2)))])
    }
  }

  @Test func `a silent successor is no good; the old one stays and another is tried after a pause`() {
    standby()
    feed.at(12, .data(id(1), receivedAt: 12_000))
    #expect(feed.at(21, .timer) == [.close(id(2)), .report(.successorSilent(id(2))), .ping(id(1))])
    #expect(feed.deadline == 26)
    #expect(
      feed.at(22, .ended(id(2), cause: .closed)) == [
        .beginOverlap(primary: id(1), standby: id(3)), .connect(id(3)),
      ])
  }

  @Test func `never a third connection: a replacement waits until the old one has drained`() {
    standby(listChanged: true)
    feed.at(12, .compared(caughtUp))
    #expect(feed.at(13, .rotate(listChanged: false)) == [.report(.rotating(.requested))])
    #expect(feed.deadline == 17)
    #expect(
      feed.at(17, .timer) == [
        .abandon(id(1)), .beginOverlap(primary: id(2), standby: id(3)), .connect(id(3)),
      ])
  }

  @Test func `a successor that cannot be opened or is lost makes no gap; another is tried after a pause`() {
    live()
    feed.at(10, .rotate(listChanged: false))
    #expect(
      feed.at(11, .ended(id(2), cause: .closed)) == [
        .report(.successorLost(id(2), nextAfter: .milliseconds(500)))
      ])
    #expect(feed.at(11.5, .timer).last == .connect(id(3)))
    feed.at(12, .opened(id(3), at: 12_000))
    feed.at(12, .data(id(3), receivedAt: 12_000))
    #expect(
      feed.at(13, .ended(id(3), cause: .closed)) == [
        .report(.successorLost(id(3), nextAfter: .seconds(1)))
      ])
  }

  @Test func `a successor takes over from a deaf connection with a gap, ten seconds after its first data`() {
    standby()
    feed.at(15, .data(id(2), receivedAt: 15_000))
    #expect(feed.at(15, .compared(caughtUp)) == [])
    feed.at(21, .arrived(id(1)))
    #expect(feed.at(24, .arrived(id(1))) == [])
    #expect(
      feed.at(25, .timer) == [
        .openGap(startedAt: 2_000, cause: .stale), .closeGap(endedAt: 15_000), .release, .close(id(1)),
        .report(.subscriptionDead(id(1))),
      ])
  }

  @Test func `with another list, who delivers says nothing: the successor takes over after ten seconds`() {
    standby(listChanged: true)
    feed.at(12, .data(id(1), receivedAt: 12_000))
    #expect(feed.at(20, .arrived(id(1))) == [])
    #expect(feed.at(21, .timer).prefix(3) == [.release, .close(id(1)), .report(.rotated(id(2)))])
  }

  @Test func `a changed list makes connections with the old one useless`() {
    feed.at(0, .started)
    #expect(feed.at(1, .rotate(listChanged: false)) == [])
    #expect(feed.at(1, .rotate(listChanged: true)) == [.abandon(id(1)), .connect(id(2))])
    feed.at(2, .opened(id(2), at: 2_000))
    feed.at(3, .rotate(listChanged: false))
    #expect(
      feed.at(4, .rotate(listChanged: true)) == [
        .abandon(id(3)), .report(.rotating(.listChanged)), .beginOverlap(primary: id(2), standby: id(4)),
        .connect(id(4)),
      ])
  }

  @Test func `a probe becomes the replacement that is asked for`() {
    probing()
    #expect(feed.at(62.5, .rotate(listChanged: false)) == [.report(.rotating(.requested))])
    #expect(feed.at(63, .data(id(1), receivedAt: 63_000)) == [])
    #expect(feed.at(64, .opened(id(2), at: 64_000)) == [])
  }

  // MARK: Losing one of two

  @Test func `the old one ends before the other has caught up: a gap from where both can have missed some`() {
    standby()
    feed.at(12, .data(id(1), receivedAt: 12_000))
    #expect(
      feed.at(13, .ended(id(1), cause: .closed)) == [.openGap(startedAt: 11_000, cause: .closed), .release])
    #expect(feed.at(14, .data(id(2), receivedAt: 14_000)) == [.closeGap(endedAt: 14_000)])
  }

  @Test func `the same with data of the other already there: the gap is over at once`() {
    standby()
    feed.at(12, .data(id(2), receivedAt: 12_000))
    #expect(
      feed.at(13, .ended(id(1), cause: .closed)) == [
        .openGap(startedAt: 2_000, cause: .closed), .closeGap(endedAt: 12_000), .release,
      ])
    #expect(
      feed.at(14, .ended(id(2), cause: .closed)) == [.openGap(startedAt: 12_000, cause: .closed)])
  }

  @Test func `the old one ends while the other is opening: that one goes on, with its own limit`() {
    live()
    feed.at(10, .rotate(listChanged: false))
    #expect(
      feed.at(12, .ended(id(1), cause: .closed)) == [.openGap(startedAt: 2_000, cause: .closed), .release])
    #expect(feed.deadline == 40)
    feed.at(13, .opened(id(2), at: 13_000))
    #expect(feed.at(14, .data(id(2), receivedAt: 14_000)) == [.closeGap(endedAt: 14_000)])
  }

  @Test func `a gap that is open when another connection takes over ends with its first data`() {
    feed.at(0, .started)
    feed.at(1, .ended(id(1), cause: .closed))
    feed.at(2, .timer)
    feed.at(3, .opened(id(2), at: 3_000))
    feed.at(4, .rotate(listChanged: true))
    feed.at(5, .opened(id(3), at: 5_000))
    #expect(feed.at(6, .data(id(3), receivedAt: 6_000)) == [])
    #expect(feed.at(7, .compared(caughtUp)).prefix(2) == [.closeGap(endedAt: 6_000), .release])
  }

  @Test func `a standby has caught up only with a primary that spoke just now`() {
    standby()
    feed.at(12, .data(id(1), receivedAt: 12_000))
    feed.at(16, .data(id(2), receivedAt: 16_000))
    #expect(feed.at(17, .compared(caughtUp)) == [])
    feed.at(18, .data(id(1), receivedAt: 18_000))
    #expect(feed.at(18, .compared(caughtUp)).prefix(2) == [.release, .close(id(1))])
  }

  @Test func `a gap does not reach back into the one before it`() {
    feed.at(0, .started)
    feed.at(1, .ended(id(1), cause: .closed))
    feed.at(2, .timer)
    feed.at(3, .opened(id(2), at: 3_000))
    feed.at(4, .rotate(listChanged: false))
    feed.at(5, .opened(id(3), at: 5_000))
    #expect(feed.at(6, .data(id(2), receivedAt: 6_000)) == [.closeGap(endedAt: 6_000)])
    feed.at(7, .data(id(2), receivedAt: 7_000))
    #expect(
      feed.at(8, .ended(id(2), cause: .closed)) == [.openGap(startedAt: 6_000, cause: .closed), .release])
  }

  // MARK: The end

  @Test(arguments: [(FeedSession.Event.stopped, 2.0), (.retired, 5.0)])
  func `an end closes what is open, drops what is opening, and what is left after a while`(
    _ event: FeedSession.Event, _ limit: Double
  ) {
    live()
    feed.at(10, .rotate(listChanged: false))
    #expect(feed.at(11, event) == [.close(id(1)), .abandon(id(2))])
    #expect(feed.deadline == 11 + limit)
    #expect(feed.at(12, .data(id(1), receivedAt: 12_000)) == [])
    #expect(feed.lastDataAt == 12_000)
    #expect(feed.at(11 + limit, .timer) == [.abandon(id(1)), .finished])
    #expect(feed.at(30, .timer) == [])
    #expect(feed.at(30, .started) == [])
  }

  @Test func `the end is there as soon as no connection is left`() {
    standby()
    #expect(feed.at(12, .stopped) == [.close(id(1)), .close(id(2))])
    #expect(feed.at(12, .ended(id(1), cause: .closed)) == [])
    #expect(feed.at(12, .ended(id(2), cause: .closed)) == [.finished])
    #expect(Driven().at(0, .stopped) == [.finished])
  }

  @Test func `what lay in the socket when the end came moves no watermark past the pause`() {
    live()
    feed.at(3, .paused)
    feed.at(50, .retired)
    feed.at(52, .resumed)
    feed.at(52, .data(id(1), receivedAt: 52_000))
    #expect(feed.at(52, .ended(id(1), cause: .closed)) == [.finished])
    #expect(feed.lastDataAt == 2_000)
  }

  @Test func `data on the way out still ends a gap; a stop shortens a retirement`() {
    feed.at(0, .started)
    feed.at(1, .ended(id(1), cause: .closed))
    feed.at(2, .timer)
    feed.at(3, .opened(id(2), at: 3_000))
    #expect(feed.at(4, .retired) == [.close(id(2))])
    #expect(feed.at(4, .data(id(2), receivedAt: 4_000)) == [.closeGap(endedAt: 4_000)])
    feed.at(5, .stopped)
    #expect(feed.deadline == 7)
  }
}

private let caughtUp = FeedSession.Standing(isCaughtUp: true)

/// A session behind a reference, since `#expect` cannot call what changes a value.
private final class Driven {
  private var session: FeedSession
  var attempts: AttemptLimiter
  private(set) var last: [FeedSession.Action] = []
  private var now = 0.0

  init(
    isCovered: Bool = false, limits: FeedSession.Limits = .init(),
    attempts: AttemptLimiter = .init(limit: 300, window: .seconds(300))
  ) {
    let backoff = Backoff(base: .seconds(1), cap: .seconds(8), jitter: .equal)
    session = FeedSession(startedAt: 500, isCovered: isCovered, limits: limits, backoff: backoff)
    self.attempts = attempts
  }

  @discardableResult
  func at(_ seconds: Double, _ event: FeedSession.Event, random: Double = 0) -> [FeedSession.Action] {
    now = seconds
    last = session.handle(
      event, at: .milliseconds(Int((seconds * 1_000).rounded())), random: random, attempts: &attempts)
    connects += last.count { if case .connect = $0 { true } else { false } }
    return last
  }

  private(set) var connects = 0

  var deadline: Double? { session.deadline.map { $0 / .milliseconds(1) / 1_000 } }
  var lastDataAt: Int64 { session.lastDataAt }

  /// Says nothing until an action comes; says when, or gives up.
  func keepQuiet(until wanted: FeedSession.Action) -> Double? {
    for _ in 0..<100 {
      guard let deadline else { break }
      if at(deadline, .timer).contains(wanted) { return deadline }
    }
    return nil
  }

  /// Answers pings, or has data, from deadline to deadline until an action comes; says when, or gives up.
  func keepAlive(
    _ id: FeedSession.ConnectionID, withData: Bool = false, until wanted: FeedSession.Action
  ) -> Double? {
    for _ in 0..<10_000 {
      guard let deadline else { break }
      if at(deadline, .timer).contains(wanted) { return deadline }
      at(deadline, withData ? .data(id, receivedAt: Int64(deadline * 1_000)) : .arrived(id))
    }
    return nil
  }
}
