import TestSupport
import Testing

@testable import Ingest

@Suite struct StreamPlanTests {
  private static let capacity = ExchangeLimits.binance.streamsPerConnection

  private func names(_ range: Range<Int>) -> [String] { range.map { "s\($0)" } }
  private func slot(_ number: Int) -> SlotID { SlotID(number: number) }

  @Test func `the first list fills as few slots as can carry it, evenly and in its order`() {
    #expect(
      StreamPlan(streams: names(0..<1_024), capacity: Self.capacity).slots == [slot(1): names(0..<1_024)])
    #expect(
      StreamPlan(streams: names(0..<1_025), capacity: Self.capacity).slots == [
        slot(1): names(0..<513), slot(2): names(513..<1_025),
      ])
    #expect(StreamPlan(streams: [], capacity: Self.capacity).slots == [:])
    #expect(StreamPlan(streams: ["a", "b", "a"], capacity: Self.capacity).slots == [slot(1): ["a", "b"]])
    #expect(StreamPlan(streams: names(0..<5_000), capacity: .max).slots == [slot(1): names(0..<5_000)])
  }

  @Test func `a stream stays where it is, new ones go where there is room, lowest first`() {
    var plan = StreamPlan(streams: ["a", "b", "c", "d", "e", "f"], capacity: 3)
    #expect(plan.update(to: ["f", "e", "d", "c", "b", "a"]).isEmpty)
    let changes = plan.update(to: ["x", "a", "c", "d", "e", "f", "y", "z", "u", "v", "w"])
    #expect(plan.slots[slot(1)] == ["a", "c", "x"])
    #expect(plan.slots[slot(2)] == ["d", "e", "f"])
    #expect(plan.slots[slot(3)] == ["y", "z", "u"])
    #expect(plan.slots[slot(4)] == ["v", "w"])
    #expect(changes == .init(added: [slot(3), slot(4)], changed: [slot(1)]))
  }

  @Test func `a slot without streams is retired, and its number does not come again`() {
    var plan = StreamPlan(streams: ["a", "b", "c"], capacity: 1)
    #expect(plan.update(to: ["a", "c"]) == .init(retired: [slot(2)]))
    #expect(plan.update(to: ["a", "c", "d"]) == .init(added: [slot(4)]))
    #expect(plan.update(to: []) == .init(retired: [slot(1), slot(3), slot(4)]))
    #expect(plan.slots.isEmpty)
  }

  @Test func `a list exchanged as a whole keeps its slots`() {
    var plan = StreamPlan(streams: ["a", "b"], capacity: .max)
    #expect(plan.update(to: ["c"]) == .init(changed: [slot(1)]))
    #expect(plan.slots == [slot(1): ["c"]])
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `whatever the lists, each stream is in one slot and stays there`(
    _ seed: UInt64
  ) {
    var random = SplitMix64(seed: seed)
    var plan = StreamPlan(streams: [], capacity: 7)
    var retired: Set<SlotID> = []
    for _ in 0..<300 {
      let list = (0..<Int.random(in: 0...60, using: &random)).map { _ in
        "s\(Int.random(in: 0..<80, using: &random))"
      }
      let before = plan.slots
      let changes = plan.update(to: list)
      #expect(plan.slots.values.joined().sorted() == Set(list).sorted())
      #expect(plan.slots.values.allSatisfy { 1...7 ~= $0.count })
      for (id, streams) in before {
        for stream in streams where list.contains(stream) {
          #expect(plan.slots[id]?.contains(stream) == true)
        }
      }
      #expect(changes.added == plan.slots.keys.filter { before[$0] == nil }.sorted())
      #expect(changes.retired == before.keys.filter { plan.slots[$0] == nil }.sorted())
      #expect(
        changes.changed
          == before.keys.filter { plan.slots[$0] != nil && plan.slots[$0] != before[$0] }.sorted())
      #expect(retired.isDisjoint(with: plan.slots.keys))
      retired.formUnion(changes.retired)
      // No new slot while an old one has room.
      if !changes.added.isEmpty {
        #expect(plan.slots.allSatisfy { $0.value.count == 7 || changes.added.contains($0.key) })
      }
    }
  }
}
