import Logging
import ShippingFixtures
import TestSupport
import Testing

@testable import Shippers

@Suite struct TroubleSummaryTests {
  private typealias Said = TroubleSummary.Said

  @Test func `each cause is said once and summed up every half minute`() {
    var summary = TroubleSummary()
    #expect(summary.failed("a", now: .seconds(100)) == Said(failures: 1, lasted: .zero))
    #expect(summary.failed("a", now: .seconds(101)) == nil)
    #expect(summary.failed("b", now: .seconds(102)) == Said(failures: 3, lasted: .seconds(2)))
    #expect(summary.failed("a", now: .seconds(129)) == nil)
    #expect(summary.failed("a", now: .seconds(130)) == Said(failures: 5, lasted: .seconds(30)))
  }

  @Test func `it is over when nothing has failed for a while`() {
    var summary = TroubleSummary()
    #expect(summary.isQuiet)
    #expect(summary.succeeded(now: .seconds(1)) == nil)
    _ = summary.failed("a", now: .seconds(10))
    #expect(summary.succeeded(now: .seconds(14)) == nil)
    #expect(summary.succeeded(now: .seconds(15)) == Said(failures: 1, lasted: .seconds(5)))
    #expect(summary.isQuiet)
    #expect(summary.succeeded(now: .seconds(16)) == nil)
  }

  @Test func `while something is held no success ends the trouble`() {
    var summary = TroubleSummary()
    #expect(summary.held("taken", now: .zero) != nil)
    #expect(summary.succeeded(now: .seconds(50)) == nil)
    summary.released(now: .seconds(60))
    #expect(summary.succeeded(now: .seconds(60)) == nil)
    #expect(summary.held("taken", now: .seconds(60)) == Said(failures: 2, lasted: .seconds(60)))
    summary.released(now: .seconds(120))
    #expect(summary.succeeded(now: .seconds(125)) == Said(failures: 2, lasted: .seconds(125)))
  }

  /// Against a model that keeps every failure.
  @Test func `over random trouble it says what the model says`() {
    var random = SplitMix64.forTest()
    var summary = TroubleSummary()
    var now = Duration.zero
    var failures: [Duration] = []
    var said: [String: Duration] = [:]
    var holds = 0
    var lastEvent = Duration.zero
    for _ in 0..<20_000 {
      now += .milliseconds(Int.random(in: 0..<3_000, using: &random))
      switch Int.random(in: 0..<6, using: &random) {
      case 0, 1:
        let cause = ["a", "b", "c"].randomElement(using: &random)!
        failures.append(now)
        lastEvent = now
        let isDue = said[cause].map { now - $0 >= .seconds(30) } ?? true
        if isDue { said[cause] = now }
        let expected = isDue ? Said(failures: failures.count, lasted: now - failures[0]) : nil
        #expect(summary.failed(cause, now: now) == expected)
      case 2 where holds < 3:
        failures.append(now)
        lastEvent = now
        holds += 1
        let isDue = said["hold"].map { now - $0 >= .seconds(30) } ?? true
        if isDue { said["hold"] = now }
        #expect((summary.held("hold", now: now) != nil) == isDue)
      case 3 where holds > 0:
        holds -= 1
        lastEvent = now
        summary.released(now: now)
      default:
        let isOver = !failures.isEmpty && holds == 0 && now - lastEvent >= .seconds(5)
        let over = summary.succeeded(now: now)
        if !isOver { #expect(over == nil) }
        if let over { #expect(over == Said(failures: failures.count, lasted: now - failures[0])) }
        if isOver { failures = [] }
      }
      #expect(summary.isQuiet == failures.isEmpty)
    }
  }

  @Test func `the reporter tells the kind of trouble by its level`() {
    let logs = RecordedLogs()
    let clock = TestClock()
    let reporter = TroubleReporter(logger: logs.logger, now: { clock.now })
    reporter.failed("trying again", cause: "a", ["key": "k"])
    reporter.failed("trying again", cause: "a", ["key": "l"])
    reporter.held("mend it", ["key": "m"])
    clock.advance(by: .seconds(10))
    reporter.succeeded()
    reporter.released()
    clock.advance(by: .seconds(10))
    reporter.succeeded()
    #expect(logs.entries.map(\.level) == [.warning, .error, .notice])
    #expect(logs.entries.map(\.message) == ["trying again", "mend it", "delivering again"])
    #expect(logs.entries[0].metadata["key"] == "k")
    #expect(logs.entries[2].metadata["failures"] == "3")
    #expect(logs.entries[2].metadata["after_seconds"] == "20")
    // A first failure is one, for no time.
    #expect(logs.entries[0].metadata["failures"] == nil && logs.entries[0].metadata["for_seconds"] == nil)
    #expect(logs.entries[1].metadata["failures"] == "3" && logs.entries[1].metadata["for_seconds"] == "0")
  }
}
