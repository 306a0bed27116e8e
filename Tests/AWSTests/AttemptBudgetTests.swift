import TestSupport
import Testing

@testable import AWS

@Suite struct AttemptBudgetTests {
  @Test func `nobody waits while half of the attempts succeed`() {
    var budget = AttemptBudget()
    var generator = SplitMix64(seed: 7)
    for _ in 0..<10_000 {
      #expect(budget.enter() == .zero)
      if generator.next() % 100 < 40 { budget.failed() } else { budget.answered() }
    }
  }

  @Test func `in an outage those that wait are spaced out, up to a limit`() {
    var budget = AttemptBudget()
    for _ in 0..<100 {
      #expect(budget.enter() == .zero)
      budget.failed()
    }
    #expect(
      (1...3).map { _ in budget.enter() } == [.milliseconds(100), .milliseconds(200), .milliseconds(300)])
    for _ in 0..<3 { budget.leave() }
    #expect(budget.enter() == .milliseconds(100))
    for _ in 0..<1_000 { #expect(budget.enter() <= .seconds(5)) }
  }

  @Test func `the first success lets the next one go at once`() {
    var budget = AttemptBudget()
    for _ in 0..<1_000 { budget.failed() }
    #expect(budget.enter() > .zero)
    budget.leave()
    budget.answered()
    #expect(budget.enter() == .zero)
  }

  @Test func `each service has its own, and being throttled is no outage`() async throws {
    let gate = AttemptGate()
    let clock = RecordingClock()
    let outage = AWSError(.transport, .transient, operation: "x")
    for _ in 0..<200 { gate.ended(.s3, outage) }
    for _ in 0..<200 { gate.ended(.dynamodb, AWSError("SlowDown", .throttled, operation: "x")) }
    try await gate.enter(.dynamodb, clock)
    #expect(clock.sleeps == [])
    try await gate.enter(.s3, clock)
    try await gate.enter(.s3, clock)
    #expect(clock.sleeps == [.milliseconds(100), .milliseconds(100)])
    gate.ended(.s3, AWSError(.accessDenied, .credentialsRefused, operation: "x"))
    try await gate.enter(.s3, clock)
    #expect(clock.sleeps.count == 2)
  }
}
