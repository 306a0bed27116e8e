import Base
import Synchronization
import TestSupport
import Testing

@testable import WAL
@testable import tickwal

@Suite struct ServiceMessagesTests {
  private static let extending = "EXTEND_TIMEOUT_USEC=30000000"

  @Test
  func `a start that goes on asks for time again and again, and the watchdog is not fed before it is ready`()
  {
    var messages = ServiceMessages(watchdog: .seconds(60))
    let told = [0, 1, 4, 5, 9, 10].map { messages.beat(at: .seconds($0), isAlive: { true }) }
    #expect(told == [[Self.extending], [], [], [Self.extending], [], [Self.extending]])
    let ready = messages.ready()
    #expect(ready == "READY=1")
    let fed = messages.beat(at: .seconds(15), isAlive: { true })
    #expect(fed == ["WATCHDOG=1"])
    let again = messages.ready()
    #expect(again == nil)
  }

  @Test func `the watchdog is fed at half its interval, and as soon as what stood still turns again`() {
    var messages = ServiceMessages(watchdog: .seconds(60))
    _ = messages.ready()
    func beats(_ seconds: [Int], isAlive: Bool) -> [Int] {
      seconds.filter { !messages.beat(at: .seconds($0), isAlive: { isAlive }).isEmpty }
    }
    #expect(beats(Array(0..<100), isAlive: true) == [0, 30, 60, 90])
    #expect(beats(Array(100..<150), isAlive: false).isEmpty)
    #expect(beats(Array(150..<190), isAlive: true) == [150, 180])
    #expect(messages.pause == .seconds(1))
    #expect(ServiceMessages(watchdog: .milliseconds(500)).pause == .milliseconds(250))
  }

  @Test func `without a watchdog nobody asks whether the process turns`() {
    var messages = ServiceMessages()
    _ = messages.ready()
    let told = messages.beat(
      at: .seconds(100),
      isAlive: {
        Issue.record("it was asked")
        return true
      })
    #expect(told.isEmpty)
  }

  @Test func `a reload begins with its time and ends with ready, once each`() {
    var messages = ServiceMessages()
    let early = messages.reloading(at: .seconds(1))
    #expect(early == nil)
    _ = messages.ready()
    let told = [
      messages.reloaded(), messages.reloading(at: .milliseconds(1_500)), messages.reloading(at: .seconds(2)),
      messages.reloaded(), messages.reloaded(),
    ]
    #expect(told == [nil, "RELOADING=1\nMONOTONIC_USEC=1500000", nil, "READY=1", nil])
  }

  @Test
  func `after the beginning of the end nothing is ready any more, and time is asked for until it is there`() {
    var messages = ServiceMessages(watchdog: .seconds(20))
    _ = messages.ready()
    _ = messages.reloading(at: .seconds(1))
    let stopping = messages.stopping(at: .seconds(2))
    #expect(stopping == "STOPPING=1\n" + Self.extending)
    let late = [
      messages.stopping(at: .seconds(3)), messages.reloaded(), messages.ready(),
      messages.reloading(at: .zero),
    ]
    #expect(late == [nil, nil, nil, nil])
    let told = (3..<13).flatMap { messages.beat(at: .seconds($0), isAlive: { true }) }
    #expect(told == ["WATCHDOG=1", Self.extending, Self.extending])
    #expect(messages.status("a\nREADY=1") == "STATUS=stopping: a\\nREADY=1")
  }

  @Test func `the watchdog's interval is that of this process alone`() {
    let cases: [([String: String], Duration?)] = [
      ([:], nil), (["WATCHDOG_USEC": "60000000"], .seconds(60)),
      (["WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"], .seconds(60)),
      (["WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"], nil), (["WATCHDOG_PID": "7"], nil),
      (["WATCHDOG_USEC": "0"], nil), (["WATCHDOG_USEC": "-1"], nil), (["WATCHDOG_USEC": "1 min"], nil),
      (["WATCHDOG_USEC": "99999999999999999999"], nil),
    ]
    for (environment, interval) in cases {
      #expect(Watchdog.interval(environment, pid: 7) == interval, "\(environment)")
    }
  }
}

@Suite struct ServiceStatusTests {
  private func status(
    _ change: (inout ControlAnswer.Feed) -> Void = { _ in }, lag: Int = 0, gaps: Int = 0,
    busy: Duration? = nil
  ) -> String {
    var feed = ControlAnswer.Feed(state: .running, connected: true, connections: 1, streams: 2, granted: 2)
    feed.process = ControlAnswer.Feed.Process(rates: .init(appended: 1_234.4))
    change(&feed)
    let now: Int64 = 1_795_238_000_000_000
    let consumer = LogStatus.Consumer(
      name: ConsumerName(rawValue: "s3"), next: .first, lag: lag, oldestUnshippedSeconds: 0,
      destination: "{}",
      isEnabled: true, expired: 0, deadLetters: 0, skipped: 0, openBatches: 0, hold: nil)
    let open = (0..<gaps).map {
      Gap(
        id: Gap.ID(rawValue: Int64($0 + 1)), startedAt: now, endedAt: nil, cause: .closed, streams: ["a\($0)"]
      )
    }
    var sight = Sight(
      status: LogStatus(
        logID: LogID(rawValue: "0123456789abcdef"), head: Offset(rawValue: 5), oldest: .first,
        lastReceivedAt: nil, consumers: [consumer], openGaps: open, endedGaps: 0, recentGaps: [:],
        completeness: nil, readAt: now, rejectedInput: 0, fileBytes: 1, walBytes: 0, writerPID: 42,
        feed: LogStatus.Feed(streams: 2)), feed: feed)
    sight.writerBusyFor = busy.map { WriterWork(time: $0, processorTime: .zero) }
    return ServiceStatus(sight: sight).text
  }

  @Test func `the line has rate, lag and gaps in words`() {
    #expect(status() == "healthy: 1,234/s in, s3 all shipped, no open gap")
    #expect(status(lag: 1_200) == "healthy: 1,234/s in, s3 1,200 behind, no open gap")
    #expect(
      status(gaps: 1).hasPrefix(
        "not healthy: 1,234/s in, s3 all shipped, 1 open gap; feed: 1 stream is in an open gap"))
    #expect(status(gaps: 2).contains("2 open gaps; feed: all streams are in an open gap"))
    #expect(status { $0.connected = false }.hasSuffix("; feed: not connected to the exchange"))
  }

  @Test func `a writer that takes long says for how long`() {
    #expect(status(busy: .milliseconds(900)) == status())
    #expect(status(busy: .seconds(65)).hasSuffix(", the writer has been at one piece of work for 1 min 05 s"))
  }

  @Test func `who only ships is not judged by a feed`() {
    #expect(status({ $0 = ControlAnswer.Feed(state: .none) }, lag: 7) == "s3 7 behind, no open gap")
  }
}
