import Foundation
import TestSupport
import Testing

@testable import Ingest

/// Random walks of a slot's decisions, with single streams that are refused, withheld, late and skipped, through a world
/// that knows every tick.
///
/// `TICKWAL_SLOT_WALKS` says how many walks, `TICKWAL_TEST_SEED` which is the first; a walk that fails names its own.
@Suite struct SlotWalkTests {
  private static let quick: FeedSession.Limits = {
    var limits = FeedSession.Limits()
    limits.staleAfter = .seconds(15)
    limits.maximumAge = .seconds(150)
    return limits
  }()

  @Test func `each tick is in the log once, or in a gap that names its stream`() async throws {
    let walks = ProcessInfo.processInfo.environment["TICKWAL_SLOT_WALKS"].flatMap(UInt64.init) ?? 24
    let first = SplitMix64.seedForTest()
    let results = await withTaskGroup(of: (Set<SlotFault>, Double, Double).self) { group in
      for number in 0..<walks { group.addTask { Self.walk(first &+ number) } }
      return await group.reduce(into: (Set<SlotFault>(), 0, 0)) {
        $0 = ($0.0.union($1.0), $0.1 + $1.1, $0.2 + $1.2)
      }
    }
    if walks >= 20 { #expect(results.0 == Set(SlotFault.allCases)) }
    print("time in gaps by time missing, freezes left out: \(results.1 / results.2)")
    #expect(results.1 <= results.2 * 1.5)
  }

  @Test func `a stop at any moment leaves nothing without a gap, and no gap within that of the stop`() async {
    let walks = ProcessInfo.processInfo.environment["TICKWAL_SLOT_WALKS"].flatMap(UInt64.init) ?? 24
    let first = SplitMix64.seedForTest()
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<walks { group.addTask { Self.stop(first &+ number) } }
    }
  }

  private static func stop(_ seed: UInt64) {
    let world = SlotWorld(seed: seed, limits: quick)
    world.faults = SlotFault.allCases
    world.start()
    world.run(for: .seconds(100 + Int(seed % 200)))
    world.thaw()
    world.isStopped = true
    let known = Set(world.rows.keys)
    world.decide { $0.stop(at: $1, &$2) }
    world.run(for: .seconds(60))
    if world.troubles.isEmpty { world.check(world.isFinished, "stopped, but not finished") }
    world.noteStop(known)
    world.checkNothingIsMissing()
    world.checkNoSkipIsFalse()
    let again: Comment = "again with TICKWAL_SLOT_WALKS=1 TICKWAL_TEST_SEED=\(seed)"
    #expect(world.troubles == [], again)
  }

  private static func walk(_ seed: UInt64) -> (Set<SlotFault>, Double, Double) {
    let world = SlotWorld(seed: seed, limits: quick)
    world.faults = SlotFault.allCases
    world.start()
    world.run(for: .seconds(600))
    world.endFaults()
    world.run(for: .seconds(400))
    world.checkNothingIsMissing()
    world.checkNoSkipIsFalse()
    if world.troubles.isEmpty { world.checkIsLive() }
    let tightness = world.tightness()
    world.isStopped = true
    world.decide { $0.stop(at: $1, &$2) }
    world.run(for: .seconds(10))
    if world.troubles.isEmpty { world.check(world.isFinished, "stopped, but not finished") }
    let again: Comment = "again with TICKWAL_SLOT_WALKS=1 TICKWAL_TEST_SEED=\(seed)"
    #expect(world.troubles == [], again)
    return (world.caused, tightness.gaps, tightness.missing)
  }
}
