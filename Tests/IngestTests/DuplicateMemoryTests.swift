import TestSupport
import Testing

@testable import Ingest

@Suite struct DuplicateMemoryTests {
  private func key(_ number: Int) -> TickKey {
    Array("s".utf8).withUnsafeBytes { stream in
      Array("\(number)".utf8).withUnsafeBytes { TickKey(stream: stream, payload: $0) }
    }
  }

  /// Counts in a dictionary, keys in a list.
  private struct Naive {
    let limit: Int
    var order: [Int] = []
    var appended: [Int: Int] = [:]
    var delivered: [Int: [Int]] = [:]

    mutating func admit(_ number: Int, _ lane: Int, _ remembers: Bool) -> Bool {
      guard appended[number] != nil else {
        guard remembers else { return true }
        if order.count == limit {
          appended[order[0]] = nil
          delivered[order.removeFirst()] = nil
        }
        order.append(number)
        appended[number] = 1
        delivered[number] = [0, 0, 0]
        delivered[number]?[lane] = 1
        return true
      }
      delivered[number]![lane] += 1
      guard delivered[number]![lane] > appended[number]! else { return false }
      appended[number]! += 1
      return true
    }
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `it counts as a dictionary does, and forgets the oldest`(
    _ seed: UInt64
  ) {
    var random = SplitMix64(seed: seed)
    // Large enough for the table to grow, small enough to run over.
    var naive = Naive(limit: 1_500)
    var memory = DuplicateMemory(limit: naive.limit)
    for step in 0..<30_000 {
      let lane = Int.random(in: 0..<3, using: &random)
      if step % 5_000 == 4_999 {
        memory.begin(lane: lane)
        for number in naive.order { naive.delivered[number]![lane] = naive.appended[number]! }
        continue
      }
      let number = step / 10 + Int.random(in: 0..<600, using: &random)
      let remembers = Int.random(in: 0..<8, using: &random) > 0
      #expect(memory.hasDelivered(key(number), lane: lane) == ((naive.delivered[number]?[lane] ?? 0) > 0))
      let isNew = memory.admit(key(number), lane: lane, remembers: remembers)
      guard isNew == naive.admit(number, lane, remembers), memory.count == naive.order.count else {
        Issue.record("seed \(seed), step \(step)")
        return
      }
    }
    #expect(memory.count == naive.limit)
    memory.removeAll()
    #expect(memory.count == 0)
    #expect(!memory.hasDelivered(key(3_000), lane: 0))
  }

  @Test func `what falls out of the memory comes twice, and is not lost`() {
    var overlap = Overlap(limits: .init(rememberedTicks: 2))
    _ = overlap.begin(primary: 1, standby: 2)
    _ = overlap.pass(intake("a 1", "a 2", "a 3"), from: 1, at: .zero)
    #expect(overlap.pass(intake("a 3", "a 1"), from: 2, at: .zero).texts == ["a 1"])
  }
}
