import Testing

@testable import AWS

@Suite struct ServerClockTests {
  @Test func `a lead counts when it is said twice, one request after the other`() {
    var clock = ServerClock()
    #expect(clock.refused(lead: 7_200, sentIn: clock.round) == false && clock.lead == 0)
    #expect(clock.refused(lead: 7_201, sentIn: clock.round) == true && clock.lead == 7_201)
    #expect(clock.refused(lead: 7_230, sentIn: clock.round) == false && clock.lead == 7_201)
  }

  @Test func `requests that were in flight together are one question`() {
    var clock = ServerClock()
    let round = clock.round
    for _ in 1...20 { #expect(clock.refused(lead: -172_800, sentIn: round) == false) }
    #expect(clock.lead == 0)
    #expect(clock.refused(lead: -172_800, sentIn: clock.round) == true)
  }

  @Test func `one wrong Date is forgotten at the next success`() {
    var clock = ServerClock()
    _ = clock.refused(lead: 172_800, sentIn: clock.round)
    clock.accepted()
    #expect(clock.refused(lead: 172_800, sentIn: clock.round) == false && clock.lead == 0)
  }

  @Test func `leads that contradict one another set nothing`() {
    var clock = ServerClock()
    for lead in [500, -500, 900, 10_000, 500] {
      #expect(clock.refused(lead: lead, sentIn: clock.round) == false)
    }
    #expect(clock.lead == 0)
  }

  @Test func `a clock that was set back is learnt again`() {
    var clock = ServerClock()
    for _ in 1...2 { _ = clock.refused(lead: 28_800, sentIn: clock.round) }
    #expect(clock.lead == 28_800)
    clock.accepted()
    for _ in 1...2 { _ = clock.refused(lead: 0, sentIn: clock.round) }
    #expect(clock.lead == 0)
  }
}
