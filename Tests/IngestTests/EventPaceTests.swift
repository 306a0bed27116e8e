import Testing

@testable import Ingest

@Suite struct EventPaceTests {
  /// An event of so many seconds, delivered so many seconds after it was made.
  private func told(_ made: Double, after lag: Double, _ pace: inout EventPace) -> Bool {
    pace.note(
      eventTime: 1_700_000_000_000 + Int64(made * 1_000),
      at: .milliseconds(Int(((made + lag) * 1_000).rounded())))
  }

  @Test func `a lag is measured against the connection's own best, and a small one is none`() {
    var pace = EventPace()
    #expect(!pace.isKnown)
    #expect(!told(1, after: 0.2, &pace) && pace.lag == .zero)
    #expect(!told(2, after: 1.1, &pace) && pace.lag == .zero)
    #expect(!told(3, after: 15.2, &pace) && pace.lag == .seconds(15))
    // Until it has caught up.
    #expect(!told(39, after: 0.9, &pace) && pace.lag == .milliseconds(700))
    #expect(!told(40, after: 0.2, &pace) && pace.lag == .zero)
    #expect(pace.isKnown)
  }

  @Test func `a delivery with all that had waited is as late as its newest event, though that is not much`() {
    var pace = EventPace()
    let now = Int64(1_700_000_000_000)
    _ = pace.note(eventTime: now, at: .zero)
    _ = pace.note(eventTime: now + 16_600, oldest: now + 100, at: .seconds(17))
    #expect(pace.lag == .milliseconds(400))
    _ = pace.note(eventTime: now + 17_900, oldest: now + 17_500, at: .seconds(18))
    #expect(pace.lag == .zero)
    _ = pace.note(eventTime: now + 18_500, oldest: .min, at: .seconds(19))
    #expect(pace.lag == .zero)
  }

  @Test func `what says no time may be as late as the last that did is old, until it flows alone`() {
    var pace = EventPace()
    #expect(pace.noteWithoutTime(at: .zero) == .zero)
    _ = told(10, after: 0, &pace)
    #expect(pace.noteWithoutTime(at: .seconds(11)) == .zero)
    _ = told(12, after: 0, &pace)
    #expect(pace.noteWithoutTime(at: .seconds(27)) == .seconds(15))
    #expect(pace.noteWithoutTime(at: .seconds(31)) == .seconds(19))
    #expect(pace.noteWithoutTime(at: .seconds(32)) == .zero)
    _ = told(20, after: 15, &pace)
    #expect(pace.noteWithoutTime(at: .seconds(35)) == .seconds(15))
  }

  @Test func `event times that jump ahead of this machine's clock show that it was paused, once`() {
    var pace = EventPace()
    for second in 0..<5 { #expect(!told(Double(second), after: 0, &pace)) }
    // A second has passed here, twenty there; what came first of it is from before.
    #expect(!told(5, after: 0, &pace))
    #expect(told(25, after: -19.9, &pace))
    #expect(!told(25.1, after: -19.9, &pace))
    #expect(!told(27, after: -19.9, &pace))
  }

  @Test func `a burst of what was made meanwhile shows it, too, though each event is only a little ahead`() {
    var pace = EventPace()
    for second in 0..<5 { #expect(!told(Double(second), after: 0, &pace)) }
    var found = 0
    for event in 0..<200 {
      let made = 5 + Double(event) / 10
      if pace.note(eventTime: 1_700_000_000_000 + Int64(made * 1_000), at: .seconds(5.0)) { found += 1 }
    }
    #expect(found >= 1)
  }

  @Test(arguments: [Int64.max, .min, 253_402_300_799_999])
  func `nonsense for a time does no harm, and what comes after it is believed again`(_ nonsense: Int64) {
    var pace = EventPace()
    _ = told(1, after: 0, &pace)
    _ = pace.note(eventTime: nonsense, at: .seconds(2))
    _ = told(3, after: 0, &pace)
    #expect(pace.lag == .zero)
    _ = told(4, after: 3, &pace)
    #expect(pace.lag == .seconds(3))
  }
}
