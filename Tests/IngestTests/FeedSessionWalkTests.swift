import TestSupport
import Testing

@testable import Ingest

/// Long random walks of a session through a world that knows what it should have done.
@Suite struct FeedSessionWalkTests {
  private static let quick: FeedSession.Limits = {
    var limits = FeedSession.Limits()
    limits.staleAfter = .seconds(15)
    limits.maximumAge = .seconds(180)
    return limits
  }()

  private func walk(_ seed: UInt64, _ manner: FeedWorld.Manner, _ length: Duration) -> FeedWorld {
    let world = FeedWorld(seed: seed, manner)
    world.start()
    world.run(for: length)
    return world
  }

  @Test(arguments: 0..<150 as Range<UInt64>)
  func `storms: what is missing lies in a gap, and the feed is live when they are over`(seed: UInt64) {
    var manner = FeedWorld.Manner(limits: Self.quick)
    manner.faults = [
      .serverEnds, .deafens, .dies, .refuses, .swallows, .announcesShutdown, .rotate, .listChanges, .pause,
      .otherSlotDials, .freezes, .lags, .babbles,
    ]
    let world = walk(seed, manner, .seconds(1_500))
    world.endFaults()
    world.run(for: .seconds(900))
    world.checkIsLive()
    world.checkNothingIsMissing()
    world.stop()
    world.run(for: .seconds(10))
    world.checkIsFinished()
    #expect(world.troubles == [], "seed \(seed)")
    #expect(world.steps > 1_000, "seed \(seed)")
  }

  @Test(arguments: 0..<160 as Range<UInt64>)
  func `a stop in the middle of a storm leaves nothing without a gap`(seed: UInt64) {
    var limits = Self.quick
    limits.maximumAge = .seconds(30)
    var manner = FeedWorld.Manner(limits: limits, attemptLimit: 1_000)
    manner.faults = [
      .serverEnds, .deafens, .dies, .refuses, .swallows, .announcesShutdown, .rotate, .freezes, .lags,
      .babbles,
    ]
    let world = walk(seed, manner, .seconds(60 + Int(seed)))
    world.stop()
    world.run(for: .seconds(10))
    world.checkIsFinished()
    world.checkNothingIsMissing()
    #expect(world.troubles == [], "seed \(seed)")
  }

  @Test(arguments: 0..<60 as Range<UInt64>)
  func `replacements alone cost nothing, whatever becomes of the new connection`(seed: UInt64) {
    var manner = FeedWorld.Manner(limits: Self.quick)
    manner.faults = [
      .announcesShutdown, .rotate, .listChanges, .pause, .otherSlotDials, .refusesStandby, .swallowsStandby,
      .standbyIsDeaf,
    ]
    let world = walk(seed, manner, .seconds(1_500))
    world.endFaults()
    world.run(for: .seconds(20))
    #expect(world.gaps == [], "seed \(seed)")
    world.checkNothingIsMissing()
    #expect(world.troubles == [], "seed \(seed)")
    #expect(world.rotations > 10, "seed \(seed)")
  }

  @Test(arguments: 0..<60 as Range<UInt64>)
  func `a quiet market makes no gap, with replacements and without`(seed: UInt64) {
    var manner = FeedWorld.Manner(limits: Self.quick)
    manner.market = 500...90_000
    if seed % 2 == 0 {
      manner.faults = [.announcesShutdown, .rotate, .pause, .refusesStandby, .swallowsStandby]
    }
    let world = walk(seed, manner, .seconds(3_000))
    world.endFaults()
    world.run(for: .seconds(20))
    #expect(world.gaps == [], "seed \(seed)")
    world.checkNothingIsMissing()
    #expect(world.troubles == [], "seed \(seed)")
  }

  @Test(arguments: 0..<60 as Range<UInt64>)
  func `storms in a quiet market leave the feed live, and it ends when told to`(seed: UInt64) {
    var manner = FeedWorld.Manner(limits: Self.quick, attemptLimit: 15)
    manner.market = 500...60_000
    manner.faults = [
      .serverEnds, .deafens, .dies, .refuses, .swallows, .announcesShutdown, .rotate, .listChanges, .pause,
      .otherSlotDials,
    ]
    let world = walk(seed, manner, .seconds(Int(seed) * 60))
    if seed % 3 > 0 {
      world.endFaults()
      world.run(for: .seconds(2_500))
    }
    if seed % 3 == 1 { world.checkIsLive() }
    world.stop()
    world.run(for: .seconds(10))
    world.checkIsFinished()
    #expect(world.troubles == [], "seed \(seed)")
  }

  @Test(arguments: 0..<10 as Range<UInt64>)
  func `a subscription that died is noticed, with a gap from the last data`(seed: UInt64) {
    var manner = FeedWorld.Manner(limits: Self.quick)
    manner.market = 500...900
    let world = walk(seed, manner, .seconds(100))
    world.deafenAll()
    world.run(for: .seconds(60))
    world.checkIsLive()
    world.checkNothingIsMissing()
    #expect(world.troubles == [], "seed \(seed)")
    #expect(world.gaps.map(\.cause) == [.stale], "seed \(seed)")
    #expect(world.gaps.allSatisfy { $0.lengthInSeconds > 10 && $0.lengthInSeconds < 25 }, "seed \(seed)")
  }

  /// With the limits as they are in use.
  @Test(arguments: [(nil, 8), (70_000, 60)] as [(Int?, Int)])
  func `an hour of a quiet market costs few attempts`(_ pause: Int?, _ most: Int) {
    var manner = FeedWorld.Manner()
    manner.market = pause.map { $0...$0 }
    let world = walk(1, manner, .seconds(3_600))
    #expect(world.attemptTimes.count <= most)
    #expect(world.attemptTimes.count > 3)
    #expect(world.gaps == [])
    #expect(world.troubles == [])
  }
}
