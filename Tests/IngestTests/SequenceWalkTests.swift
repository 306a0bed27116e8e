import TestSupport
import Testing
import Ticks
import WAL

@testable import Ingest

/// Two connections at a time with lag, skips and ends, against a world that knows every id that was delivered.
@Suite struct SequenceWalkTests {
  /// A naive view: which ids were delivered by anyone, and where the gaps say that some are not.
  private struct World {
    var rig = SequenceRig()
    var delivered: Set<Int64> = []
    /// The next id that each connection delivers.
    var next: [Int: Int64] = [:]
    /// The highest that was made.
    var made: Int64 = 100
    var connections = 0
  }

  @Test(arguments: 1...60) func `ids are in a gap if and only if nobody delivered them`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var world = World()
    func chance(_ percent: Int) -> Bool { random.next() % 100 < UInt64(percent) }
    func open() {
      world.connections += 1
      world.rig.open(world.connections)
      world.next[world.connections] = world.made + 1
    }
    open()
    world.rig.deliver(1...world.made, by: 1, eventTime: world.made * 10)
    world.delivered = Set(1...world.made)
    for _ in 0..<600 {
      world.made += Int64(random.next() % 4)
      if world.next.count < 2, chance(5) { open() }
      for connection in world.next.keys.sorted() {
        // It may lag, skip, or deliver all that it owes.
        if chance(30) { continue }
        while let next = world.next[connection], next <= world.made {
          let last = min(world.made, next + Int64(random.next() % 3))
          world.next[connection] = last + 1
          if chance(4) { continue }
          world.rig.deliver(next...last, by: connection, eventTime: last * 10)
          world.delivered.formUnion(next...last)
        }
      }
      if world.next.count > 1, chance(4), let oldest = world.next.keys.min() {
        world.next[oldest] = nil
        world.rig.end(oldest)
      }
      world.rig.wait(milliseconds: Int(random.next() % 300))
    }
    for connection in world.next.keys.sorted() { world.rig.end(connection) }
    guard let first = world.delivered.min(), let last = world.delivered.max() else {
      Issue.record("nothing delivered")
      return
    }
    let skipped = world.rig.findings.reduce(into: Set<Int64>()) { ids, finding in
      guard case .skipped(let skip) = finding else { return }
      #expect(skip.before.id - skip.after.id > 1 && skip.endedAt > skip.startedAt)
      ids.formUnion(skip.after.id + 1..<skip.before.id)
    }
    let missing = Set(first...last).subtracting(world.delivered)
    #expect(missing.isSubset(of: skipped), "seed \(seed)")
    // A connection that lags by less than ten seconds owes nothing that is called missing.
    #expect(skipped == missing, "seed \(seed)")
    #expect(!missing.isEmpty, "seed \(seed) has no skip")
    #expect(world.rig.sequences.watermark == nil)
  }
}
