import Testing

@testable import Ingest

@Suite struct LivenessTests {
  private var liveness = Liveness(interval: .seconds(20), timeout: .seconds(10), openedAt: .zero)

  private mutating func expect(
    _ wanted: [Liveness.Finding], at times: Int..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let found = times.map { liveness.look(at: .seconds($0)) }
    #expect(found == wanted, sourceLocation: sourceLocation)
  }

  @Test mutating func `two pings without an answer, for ten seconds and for twenty, are death`() {
    expect([.nothing, .pingIsDue, .nothing, .pingIsDue], at: 19, 20, 29, 30)
    expect([.nothing, .nothing, .dead], at: 31, 49, 50)
  }

  @Test mutating func `it looks again when there is something to find`() {
    var deadlines: [Duration] = []
    for _ in 0..<4 {
      deadlines.append(liveness.deadline)
      _ = liveness.look(at: liveness.deadline)
    }
    #expect(deadlines == [20, 30, 50, 50].map { .seconds($0) })
  }

  @Test mutating func `pongs that always come 25 seconds late keep the connection`() {
    var answers: [Duration] = []
    for second in 0..<600 {
      let now = Duration.seconds(second)
      if answers.first == now {
        answers.removeFirst()
        liveness.arrived()
      }
      switch liveness.look(at: now) {
      case .pingIsDue: answers.append(now + .seconds(25))
      case .dead: Issue.record("dead at \(second) s")
      case .nothing: break
      }
    }
  }

  @Test mutating func `a look that comes late gives the second ping its whole time`() {
    expect([.pingIsDue, .pingIsDue, .nothing, .dead], at: 20, 45, 64, 65)
  }

  @Test mutating func `an answer to the second ping begins anew`() {
    expect([.pingIsDue, .pingIsDue], at: 20, 30)
    liveness.arrived()
    expect([.nothing, .pingIsDue, .nothing, .pingIsDue], at: 49, 50, 59, 60)
  }
}
