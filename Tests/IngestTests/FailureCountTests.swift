import Base
import TestSupport
import Testing

@testable import Ingest

@Suite struct FailureCountTests {
  @Test func `pauses double up to the limit, the random half on top of the sure one`() {
    var failures = FailureCount(Backoff(base: .seconds(1), cap: .seconds(10), jitter: .equal))
    let pauses = (0..<6).map { _ in failures.next(random: 0) }
    #expect(pauses == [0.5, 1, 2, 4, 5, 5].map { .seconds($0) })
    failures.reset()
    let again = [0, 0.5].map { failures.next(random: $0) }
    #expect(again == [.milliseconds(500), .milliseconds(1500)])
  }

  @Test func `a thousand failures do not overflow`() {
    var failures = FailureCount(FeedSession.backoff)
    for _ in 0..<1000 { _ = failures.next(random: 0.999) }
    let pause = failures.next(random: 0.999)
    #expect(pause <= FeedSession.backoff.cap)
  }
}

@Suite struct AttemptLimiterTests {
  @Test func `no window of five minutes holds more attempts than allowed`() {
    var limiter = AttemptLimiter(limit: 300, window: .seconds(300))
    var random = SplitMix64(seed: 42)
    var now = Duration.zero
    var attempts: [Duration] = []
    for _ in 0..<2_000 {
      now += .milliseconds(Int64.random(in: 0...1200, using: &random))
      let wait = limiter.wait(at: now)
      if wait > .zero { now += wait }
      let again = limiter.wait(at: now)
      #expect(again == .zero)
      limiter.record(at: now)
      attempts.append(now)
    }
    for (index, time) in attempts.enumerated() where index >= 300 {
      #expect(time - attempts[index - 300] >= .seconds(300))
    }
  }

  @Test func `attempts below the limit do not wait, and old ones are forgotten`() {
    var limiter = AttemptLimiter(limit: 2, window: .seconds(10))
    limiter.record(at: .seconds(0))
    limiter.record(at: .seconds(4))
    let waits = [4, 10].map { limiter.wait(at: .seconds($0)) }
    #expect(waits == [.seconds(6), .zero])
    limiter.record(at: .seconds(10))
    let wait = limiter.wait(at: .seconds(10))
    #expect(wait == .seconds(4))
  }
}

@Suite struct EarlierAttemptsTests {
  @Test func `attempts of an earlier run count until they are old`() {
    let ages = [400, 299, 100].map { Duration.seconds($0) }
    var limiter = AttemptLimiter(limit: 2, window: .seconds(300), ages: ages, at: .seconds(1_000))
    let waits = [1_000, 1_001].map { limiter.wait(at: .seconds($0)) }
    #expect(waits == [.seconds(1), .zero])
  }

  @Test func `an attempt of the future, by a clock that was set back, holds up no longer than a new one`() {
    var limiter = AttemptLimiter(limit: 1, window: .seconds(300), ages: [.seconds(-9_999)], at: .seconds(10))
    let wait = limiter.wait(at: .seconds(10))
    #expect(wait == .seconds(300))
  }

  @Test func `the last tenth is for what is urgent`() {
    var limiter = AttemptLimiter(limit: 10, window: .seconds(300))
    for second in 0..<9 { limiter.record(at: .seconds(second)) }
    let waits = [true, false].map { limiter.wait(at: .seconds(10), isUrgent: $0) }
    #expect(waits == [.zero, .seconds(290)])
  }
}

@Suite struct AskedPauseTests {
  @Test func `in a pause that the exchange asks for nobody dials, urgent or not`() {
    var limiter = AttemptLimiter(limit: 10, window: .seconds(300))
    let isLonger = limiter.hold(until: .seconds(130))
    #expect(isLonger)
    let waits = [true, false].map { limiter.wait(at: .seconds(10), isUrgent: $0) }
    #expect(waits == [.seconds(120), .seconds(120)])
    let after = limiter.wait(at: .seconds(130))
    #expect(after == .zero && limiter.hold(at: .seconds(130)) == .zero)
  }

  @Test func `a later answer makes the pause longer and never shorter`() {
    var limiter = AttemptLimiter(limit: 10, window: .seconds(300))
    let longer = [100, 50, 100, 101].map { limiter.hold(until: .seconds($0)) }
    #expect(longer == [true, false, false, true])
    #expect(limiter.hold(at: .seconds(1)) == .seconds(100))
  }

  @Test func `the limit of attempts holds beside it`() {
    var limiter = AttemptLimiter(limit: 1, window: .seconds(300))
    limiter.record(at: .zero)
    _ = limiter.hold(until: .seconds(10))
    let wait = limiter.wait(at: .seconds(5))
    #expect(wait == .seconds(295))
  }

  @Test(
    arguments: [
      ("120", .seconds(120)), ("0", .zero), ("3601", .seconds(3600)),
      ("99999999999999999999999999", .seconds(3600)), ("Sun, 06 Nov 1994 08:49:37 GMT", .seconds(10)),
      ("Sun, 06 Nov 1994 08:49:00 GMT", .zero), ("Sun, 06 Nov 1995 08:49:37 GMT", .seconds(3600)),
      ("-5", nil), ("+5", nil), ("1.5", nil), ("", nil), ("5 s", nil), ("٥", nil), ("soon", nil),
      ("Sun, 06 Nov 1994 08:49:37 CET", nil),
    ] as [(String, Duration?)])
  func `Retry-After is seconds or a date, at most an hour, and nothing else`(
    _ text: String, _ wait: Duration?
  ) {
    #expect(RetryAfter(text)?.wait(at: 784_111_767_000_000) == wait)
  }
}
