import AWS
import Base
import Foundation
import ShippingFixtures
import Synchronization
import TestSupport
import Testing
import Ticks

@testable import Shippers
@testable import WAL

@Suite struct GapShipperTests {
  /// What the objects of a store say of each gap: its end, `-` for open.
  private func told(_ notes: [String: [UInt8]]) throws -> [Int: String] {
    var told: [Int: String] = [:]
    for (key, body) in notes where key.contains("/_gaps/") {
      let line = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any], "\(key)")
      let id = try #require(line["gap"] as? Int)
      #expect(told[id] == nil, "gap \(id) has two objects")
      told[id] = line["ended_at"] as? String ?? "-"
    }
    return told
  }

  private func written(_ store: ScriptedStore) -> [String] {
    store.calls.compactMap { if case .writeNote(let key) = $0, key.contains("/_gaps/") { key } else { nil } }
  }

  private static let first = "2026-11-21T05:13:20.123457Z"

  @discardableResult
  private func open(_ rig: ShippingRig, streams: [String] = ["a@trade"]) async throws -> Gap.ID {
    try await rig.log.write { try $0.openGap(startedAt: someTime, cause: .closed, streams: streams) }
  }

  private func close(_ rig: ShippingRig, _ id: Gap.ID, endedAt: Int64 = someTime + 1) async throws {
    try await rig.log.write { try $0.closeGap(id, endedAt: endedAt) }
  }

  @Test func `an open gap gets an object that is replaced when it ends`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      try await rig.beside(rig.shipping(to: store)) {
        let gap = try await open(rig)
        try await expectEventually { try told(store.notes) == [1: "-"] }
        #expect(rig.clock.sleeps.contains(.seconds(5)))
        try await close(rig, gap)
        try await expectEventually { try told(store.notes) == [1: Self.first] }
        let other = try await open(rig)
        try await expectEventually { try told(store.notes) == [1: Self.first, 2: "-"] }
        try await close(rig, other)
        try await expectEventually { try told(store.notes) == [1: Self.first, 2: Self.first] }
      }
      #expect(written(store).count == 4)
      let logID = try await rig.reading { try await $0.logID() }
      #expect(
        Set(written(store)) == [
          "p/_gaps/dt=2026-11-21/f-2026-11-21T05-13-20.123456Z-\(logID)-1.jsonl",
          "p/_gaps/dt=2026-11-21/f-2026-11-21T05-13-20.123456Z-\(logID)-2.jsonl",
        ])
    }
  }

  @Test func `a gap that is over between two looks is written once`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      try await close(rig, try await open(rig))
      try await rig.beside(rig.shipping(to: store)) {
        try await expectEventually { try told(store.notes) == [1: Self.first] }
        try await rig.log.write { transaction in
          let id = try transaction.openGap(startedAt: someTime, cause: .stale, streams: [])
          try transaction.closeGap(id, endedAt: someTime + 1)
        }
        try await expectEventually { try told(store.notes) == [1: Self.first, 2: Self.first] }
      }
      #expect(written(store).count == 2)
      #expect(!rig.clock.sleeps.contains(.seconds(5)))
    }
  }

  @Test func `a restart writes what has changed meanwhile and nothing else`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let gaps = [try await open(rig), try await open(rig), try await open(rig)]
      try await close(rig, gaps[0])
      try await rig.drain(rig.shipping(to: store))
      #expect(try told(store.notes) == [1: Self.first, 2: "-", 3: "-"])
      #expect(written(store).count == 3)
      try await rig.drain(rig.shipping(to: store))
      #expect(written(store).count == 3)
      try await close(rig, gaps[1])
      try await close(rig, try await open(rig))
      try await rig.drain(rig.shipping(to: store))
      #expect(try told(store.notes) == [1: Self.first, 2: Self.first, 3: "-", 4: Self.first])
      #expect(written(store).count == 5)
    }
  }

  @Test func `a gap that is extended is told again`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      @Sendable func extend(_ id: Gap.ID, to endedAt: Int64) async throws {
        try await rig.log.write { try $0.extendGap(id, endedAt: endedAt, detail: "[\(endedAt)]") }
      }
      let gap = try await rig.log.write {
        try $0.addGap(
          startedAt: someTime, endedAt: someTime + 1, cause: .sequence, streams: [], detail: "[1]")
      }
      // Meanwhile as well, after its object and before the note of it: once more, and then no more.
      let calls = Counter()
      store.hook(after: { call in
        guard call.isGap, calls.next() == 1 else { return }
        try await extend(gap, to: someTime + 2)
      })
      try await rig.beside(rig.shipping(to: store)) {
        try await expectEventually { try told(store.notes) == [1: "2026-11-21T05:13:20.123458Z"] }
        try await extend(gap, to: someTime + 3)
        try await expectEventually { try told(store.notes) == [1: "2026-11-21T05:13:20.123459Z"] }
      }
      #expect(written(store).count == 3)
      #expect(
        store.notes.values.contains {
          String(decoding: $0, as: UTF8.self).hasSuffix(",\"detail\":[\(someTime + 3)]}\n")
        })
      try await rig.drain(rig.shipping(to: store))
      #expect(written(store).count == 3)
    }
  }

  @Test func `a gap that is kept no longer is forgotten`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      for _ in 1...3 { try await open(rig) }
      try await rig.drain(rig.shipping(to: store))
      try await rig.log.write { try $0.connection.run("DELETE FROM gaps WHERE id = 2") }
      try await rig.drain(rig.shipping(to: store))
      #expect(
        try await rig.query(
          "SELECT (value ->> '$.next') || (value ->> '$.open') FROM meta WHERE key = 'gaps s3'")
          == ["4[1,3]"])
      #expect(written(store).count == 3)
    }
  }

  @Test func `a crash between the object and its note writes the same object again`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let gap = try await open(rig)
      let crashed = Latch<Void>()
      store.hook(after: { call in
        guard call.isGap else { return }
        crashed.set(())
        try await untilCancelled()
      })
      try await rig.beside(rig.shipping(to: store)) {
        try await expectEventually { crashed.value != nil }
      }
      #expect(try told(store.notes) == [1: "-"])
      #expect(try await rig.query("SELECT count(*) FROM meta WHERE key = 'gaps s3'") == ["0"])
      store.hook()
      try await close(rig, gap)
      try await rig.drain(rig.shipping(to: store))
      #expect(try told(store.notes) == [1: Self.first])
      #expect(Set(written(store)).count == 1)
    }
  }

  @Test func `a store that takes no gaps holds up no data and is said once`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let tries = Counter()
      let isUp = Mutex(false)
      store.hook(before: { call in
        guard case .writeNote(let key) = call, key.contains("/_gaps/"), !isUp.withLock({ $0 }) else { return }
        _ = tries.next()
        throw AWSError.answer(503, .transient)
      })
      try await rig.beside(rig.shipping(to: store)) {
        try await open(rig)
        try await expectEventually { tries.count >= 3 }
        try await rig.log.append(ticks(20))
        try await expectEventually { try await rig.next(.s3) == offset(21) }
        isUp.withLock { $0 = true }
        try await expectEventually { try told(store.notes) == [1: "-"] }
      }
      let said = rig.logs.entries.filter { $0.message.contains("could not deliver") }
      #expect(said.count >= 1 && said.count <= 1 + tries.count / 2)
      #expect(said.first?.metadata["doing"] == "write the gap")
      #expect(said.first?.metadata["work"] == "gaps")
    }
  }

  @Test func `the last pass writes a gap that has just opened`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let control = ShippingControl()
      try await rig.beside(rig.shipping(to: store), control: control) {
        // As the feed does when it ends, just before the shippers are told to stop.
        try await open(rig)
        control.startStopping()
        try await expectEventually { try told(store.notes) == [1: "-"] }
      }
    }
  }

  @Test func `a last pass that cannot write is said and the next start goes on`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      store.hook(before: { call in
        if call.isGap { throw AWSError.answer(503, .transient) }
      })
      try await open(rig)
      let control = ShippingControl()
      control.startStopping()
      try await rig.run(rig.shipping(to: store), control)
      #expect(rig.logs.messages(.warning).contains { $0.contains("after the next start") })
      #expect(written(store).count == 1)
      store.hook()
      try await rig.drain(rig.shipping(to: store))
      #expect(try told(store.notes) == [1: "-"])
    }
  }

  @Test func `a copied log writes no gap over those of the other`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let logID = try await rig.reading { try await $0.logID() }
      store.setNote(
        "p/_logs/\(logID).json",
        "{\"highest_planned_offset\":12,\"log_id\":\"\(logID)\",\"written_at\":\"t\"}")
      try await open(rig)
      try await rig.beside(rig.shipping(to: store)) {
        try await expectEventually { rig.clock.waiting.contains(.seconds(60)) }
      }
      #expect(written(store).isEmpty)
      let adopted = try await rig.log.adopt().new
      try await rig.drain(rig.shipping(to: store))
      #expect(written(store).count == 1 && written(store)[0].contains("-\(adopted)-1."))
    }
  }

  @Test func `another place gets what is open and what comes later`() async throws {
    try await ShippingRig.with { rig in
      let old = ScriptedStore()
      let gaps = [try await open(rig), try await open(rig), try await open(rig)]
      try await close(rig, gaps[0])
      try await rig.drain(rig.shipping(to: old))
      try await close(rig, gaps[1])
      let new = ScriptedStore(bucket: "other")
      let other = S3Address(endpoint: "http://s3", bucket: "other", prefix: "p")
      try await rig.drain(rig.shipping(to: new, address: other), acceptDestinations: true)
      // The first one's history stays in the old place, as its data does.
      #expect(try told(new.notes) == [2: Self.first, 3: "-"])
      #expect(try told(old.notes) == [1: Self.first, 2: "-", 3: "-"])
      try await close(rig, gaps[2])
      try await rig.drain(rig.shipping(to: new, address: other))
      #expect(try told(new.notes) == [2: Self.first, 3: Self.first])
      // Once each, and again at its end; the end of a run may come between an object and the note of it.
      #expect((3...5).contains(written(new).count))
    }
  }

  @Test func `an adopted log writes what is open under its new name`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let gaps = [try await open(rig), try await open(rig)]
      try await close(rig, gaps[0])
      try await rig.drain(rig.shipping(to: store))
      let ids = try await rig.log.adopt()
      try await close(rig, gaps[1])
      try await rig.drain(rig.shipping(to: store))
      let keys = written(store)
      #expect(keys.count == 3)
      #expect(keys.filter { $0.contains("-\(ids.new)-2.") }.count == 1)
    }
  }

  @Test func `a note that cannot be understood means that all are written again`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      try await close(rig, try await open(rig))
      try await rig.drain(rig.shipping(to: store))
      try await rig.log.write { try $0.setMeta("gaps s3", "{") }
      try await rig.drain(rig.shipping(to: store))
      #expect(written(store).count == 2)
      #expect(rig.logs.messages(.warning).contains { $0.contains("cannot be understood") })
    }
  }

  @Test func `a long history is written in pages`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      try await rig.log.write { transaction in
        for _ in 1...500 {
          let id = try transaction.openGap(startedAt: someTime, cause: .closed, streams: ["a@trade"])
          try transaction.closeGap(id, endedAt: someTime + 1)
        }
      }
      let commits = Mutex<Set<String>>([])
      store.hook(after: { call in
        guard call.isGap else { return }
        let noted = try await rig.query("SELECT value ->> '$.next' FROM meta WHERE key = 'gaps s3'")
        commits.withLock { $0.formUnion(noted) }
      })
      try await rig.drain(rig.shipping(to: store))
      #expect(try told(store.notes).count == 500)
      // Noted on the way: a crash does not begin anew.
      #expect(commits.withLock { $0.count } >= 500 / GapShipper.pageLength - 1)
    }
  }

  @Test func `a cancellation ends a long history after the gap at hand`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      for _ in 1...50 { try await close(rig, try await open(rig)) }
      let third = Latch<Void>()
      let calls = Counter()
      store.hook(after: { call in
        guard call.isGap, calls.next() == 3 else { return }
        third.set(())
        // As a folder does, it goes on all the same.
        do { try await untilCancelled() } catch is CancellationError {}
      })
      try await rig.beside(rig.shipping(to: store)) { try await expectEventually { third.value != nil } }
      #expect(written(store).count == 3)
    }
  }

  /// Gaps open and close while the process is killed at random moments and the store fails at random; in the end
  /// the objects say what the log says.
  @Test func `random walks end with the truth`() async throws {
    var seeds = SplitMix64.forTest()
    for _ in 1...10 {
      let seed = seeds.next()
      try await ShippingRig.with { rig in
        let random = Mutex(SplitMix64(seed: seed))
        let store = ScriptedStore()
        let openGaps = Mutex<[Gap.ID]>([])
        for _ in 1...8 {
          let crashed = failAtRandom(store, random)
          try await rig.beside(rig.shipping(to: store)) {
            for _ in 1...5 {
              let at = someTime + random.withLock { Int64.random(in: 1...1_000, using: &$0) }
              let isEnd = random.withLock { Bool.random(using: &$0) }
              if isEnd, let gap = openGaps.withLock({ $0.popLast() }) {
                try await close(rig, gap, endedAt: at)
              } else {
                let gap = try await open(rig)
                openGaps.withLock { $0.insert(gap, at: $0.count / 2) }
              }
            }
            try await expectEventually {
              if crashed.value != nil { return true }
              return try await count(rig) == said(store)
            }
          }
        }
        store.hook()
        try await rig.drain(rig.shipping(to: store))
        let told = try self.told(store.notes).sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        #expect(try await told == truth(rig), "seed \(seed)")
        let writes = written(store).count
        try await rig.drain(rig.shipping(to: store))
        #expect(written(store).count == writes, "seed \(seed)")
      }
    }
  }

  /// - Returns: set when a call's effect is there and its caller will not hear of it.
  private func failAtRandom(_ store: ScriptedStore, _ random: borrowing Mutex<SplitMix64>) -> Latch<Void> {
    let crashAfter = random.withLock { Int.random(in: 1...6, using: &$0) }
    let faults = Mutex(SplitMix64(seed: random.withLock { $0.next() }))
    let calls = Counter()
    let crashed = Latch<Void>()
    store.hook(
      before: { call in
        guard call.isGap else { return }
        if faults.withLock({ Int.random(in: 0..<4, using: &$0) }) == 0 {
          throw AWSError.answer(503, .transient)
        }
      },
      after: { call in
        guard call.isGap, calls.next() >= crashAfter else { return }
        crashed.set(())
        try await untilCancelled()
      })
    return crashed
  }

  private func said(_ store: ScriptedStore) throws -> Int { try told(store.notes).count }

  private func count(_ rig: ShippingRig) async throws -> Int? {
    Int(try await rig.query("SELECT count(*) FROM gaps")[0])
  }

  private func truth(_ rig: ShippingRig) async throws -> [String] {
    try await rig.query("SELECT id || ' ' || coalesce(ended_at, '-') FROM gaps ORDER BY id").map { line in
      let parts = line.split(separator: " ")
      return "\(parts[0]) " + (Int64(parts[1]).map { Timestamp.rfc3339(microseconds: $0) } ?? "-")
    }
  }
}
