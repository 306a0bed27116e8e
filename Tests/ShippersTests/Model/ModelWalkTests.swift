import Foundation
import ShippingFixtures
import TestSupport
import Testing

/// The real log and the real loops of two consumers, through crashes, losses of power and refusals, against a model
/// that knows what was promised.
///
/// `TICKWAL_MODEL_WALKS` says how many walks, `TICKWAL_TEST_SEED` which is the first; a walk that fails names its own.
@Suite(.timeLimit(.minutes(10))) struct ModelWalkTests {
  @Test func `whatever happens the promises hold`() async throws {
    let walks = ProcessInfo.processInfo.environment["TICKWAL_MODEL_WALKS"].flatMap(UInt64.init) ?? 200
    let first = SplitMix64.seedForTest()
    let events = try await withThrowingTaskGroup(of: Set<ModelWorld.Event>.self) { group in
      for lane in 0..<4 as Range<UInt64> {
        group.addTask {
          var events: Set<ModelWorld.Event> = []
          for number in 0..<walks where number % 4 == lane {
            let seed = first &+ number
            let (broken, happened) = try await ModelWalk(seed: seed).run()
            events.formUnion(happened)
            let again: Comment = "again with TICKWAL_MODEL_WALKS=1 TICKWAL_TEST_SEED=\(seed)"
            #expect(broken == [], again)
          }
          return events
        }
      }
      return try await group.reduce(into: Set<ModelWorld.Event>()) { $0.formUnion($1) }
    }
    // A batch of items is one call for many ticks, so that few are on their way when a process ends: some seeds have none.
    if walks >= 100 { #expect(events.union([.lateItems]) == Set(ModelWorld.Event.allCases)) }
  }
}
