import Testing

@testable import Ingest

@Suite struct FreezeWatchTests {
  private typealias Clocks = FreezeWatch.Clocks

  private func clocks(_ monotonic: Double, boot: Double? = nil) -> Clocks {
    Clocks(monotonic: .seconds(monotonic), boot: .seconds(boot ?? monotonic))
  }

  @Test func `a loop that turns in time is not frozen, and one beat late is late only`() {
    var watch = FreezeWatch()
    for moment in [0, 0.25, 0.5, 0.75, 1.9] { #expect(watch.turn(clocks(moment)) == nil) }
  }

  @Test func `a turn that comes a second late ends a freeze, which began with the last one`() {
    var watch = FreezeWatch()
    _ = watch.turn(clocks(10))
    #expect(watch.turn(clocks(11.25)) == .init(since: .seconds(10), length: .seconds(1.25)))
    #expect(watch.turn(clocks(11.5)) == nil)
  }

  @Test func `a machine that was suspended stood still on one clock and not on the other`() {
    var watch = FreezeWatch()
    _ = watch.turn(clocks(10))
    #expect(watch.turn(clocks(10.1, boot: 50)) == .init(since: .seconds(10), length: .seconds(40)))
    #expect(watch.turn(clocks(10.2, boot: 50.1)) == nil)
  }
}
