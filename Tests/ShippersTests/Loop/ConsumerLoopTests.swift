import AWS
import Base
import Inspect
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

@Suite(.timeLimit(.minutes(2))) struct ConsumerLoopTests {
  /// A loop of the only consumer of a place.
  private func makeLoop(
    _ rig: ShippingRig, _ shipping: Shipping, patience: Duration = .seconds(60)
  ) async throws -> ConsumerLoop {
    let consumers = try await rig.log.enable(
      shipping.consumers, acceptDestinations: false, logger: rig.logs.logger)
    return ConsumerLoop(
      try #require(consumers.first), shipping: shipping, log: rig.log, patience: patience,
      clock: rig.clock.shipping, logger: rig.logs.logger)
  }

  /// Runs the loop beside `body`; then lets it ship what is left.
  private func running(_ loop: ConsumerLoop, _ body: () async throws -> Void) async throws {
    async let end: Void = loop.run()
    do {
      try await body()
    } catch {
      loop.startStopping()
      try await end
      throw error
    }
    loop.startDraining()
    try await end
  }

  private func seek(_ loop: ConsumerLoop, to target: Int64, skip: Bool = false) async throws -> SeekOutcome {
    try await loop.seek(
      SeekRequest(consumer: loop.name, offset: offset(target), maySkip: skip), dryRun: false)
  }

  /// Every offset is in one object, or skipped; each key ever had one content.
  private func expectOnce(
    _ rig: ShippingRig, _ store: ScriptedStore, _ count: Int64, skipped: ClosedRange<Int64>? = nil
  ) async throws {
    let inObjects = store.objects.values.flatMap { numbers(inRows: $0.body) }.sorted()
    let passed = try await rig.reading { try await $0.skipped(of: .s3, in: offsets(1...count)) }
    #expect(passed == (skipped.map { [offsets($0)] } ?? []))
    #expect(inObjects == (1...count).filter { skipped?.contains($0) != true })
    #expect(store.sent.allSatisfy { $0.value.count == 1 })
    #expect(try await rig.next(.s3) == offset(count + 1))
    #expect(try await rig.query("SELECT first_offset FROM batches WHERE state = 'planned'").isEmpty)
    #expect(try await rig.deadLetters.isEmpty)
  }

  @Test func `a seek during uploads waits for them and delivers the frozen batches again`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(80))
      let store = ScriptedStore()
      let gate = Latch<Void>()
      store.hook(before: { call in
        if case .put(let key) = call, key.contains("-41-50.") { try await gate.wait() }
      })
      let loop = try await makeLoop(rig, rig.shipping(to: store, .test(concurrency: 2)))
      try await running(loop) {
        try await expectEventually { try await rig.next(.s3) == offset(41) }
        async let moved = seek(loop, to: 15)
        // The loop starts nothing more, and the upload on its way may end.
        try await expectEventually { loop.isPausing }
        #expect(try await rig.next(.s3) == offset(41))
        gate.set(())
        let outcome = try await moved
        #expect(outcome.from >= offset(51) && outcome.to == offset(11))
        #expect(outcome.batches == outcome.from.previous.rawValue / 10 - 1)
      }
      try await expectOnce(rig, store, 80)
      #expect(store.puts.filter { $0.contains("-11-20.") }.count == 2)
      #expect(store.puts.filter { $0.contains("-1-10.") }.count == 1)
    }
  }

  @Test func `an upload that hangs is called off and may arrive later`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(40))
      let store = ScriptedStore()
      let late = Shared<NewObject?>(nil)
      // The store has it, the answer never comes.
      store.hook(after: { call in
        if case .put(let key) = call, key.contains("-21-30."), late.current == nil {
          late.withLock { $0 = store.objects[key] }
          store.remove(key)
          try await untilCancelled()
        }
      })
      // The test's clock ends short waits at once.
      let loop = try await makeLoop(rig, rig.shipping(to: store), patience: .seconds(1))
      try await running(loop) {
        try await expectEventually { late.current != nil }
        let outcome = try await seek(loop, to: 1)
        #expect(outcome.from <= offset(21) && outcome.to == .first)
        _ = try await store.put(try #require(late.current))
      }
      try await expectOnce(rig, store, 40)
    }
  }

  @Test func `a consumer that is held can be moved past what holds it`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(40))
      let store = ScriptedStore()
      store.hook(before: { call in
        if case .put(let key) = call, key.contains("-11-20.") {
          store.setForeign(key, sha256: .some("other"))
        }
      })
      let loop = try await makeLoop(rig, rig.shipping(to: store))
      try await running(loop) {
        try await expectEventually {
          rig.logs.messages(.error).contains { $0.contains("the object's key is taken") }
        }
        await #expect(throws: SeekError.self) { _ = try await seek(loop, to: 21) }
        let outcome = try await seek(loop, to: 21, skip: true)
        #expect(outcome.to == offset(21) && outcome.batches >= 1)
      }
      try await expectOnce(rig, store, 40, skipped: 11...20)
    }
  }

  @Test func `nothing on its way moves the offset back`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(100))
      let table = ScriptedTable()
      let gate = Latch<Void>()
      let started = Counter()
      table.hook { _ in
        if started.next() > 20 { try await gate.wait() }
        return nil
      }
      let loop = try await makeLoop(rig, rig.shipping(to: table, concurrency: 4))
      try await running(loop) {
        try await expectEventually { started.count == 24 }
        async let moved = seek(loop, to: 91, skip: true)
        try await expectEventually { loop.isPausing }
        gate.set(())
        #expect(try await moved.to == offset(91))
        #expect(try await rig.next(.dynamodb).map { $0 >= offset(91) } == true)
      }
      #expect(try await rig.next(.dynamodb) == offset(101))
      let skipped = try await rig.reading { try await $0.skipped(of: .dynamodb, in: offsets(1...100)) }
      #expect(skipped.count == 1 && skipped.first?.upperBound == offset(90))
      // 20 were confirmed, and 4 were on their way.
      #expect(skipped.first?.lowerBound == offset(25))
      #expect(started.count == 34)
    }
  }

  @Test func `what cannot be done stops nothing`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      let store = ScriptedStore()
      let gate = Latch<Void>()
      store.hook(before: { call in if call.isPut { try await gate.wait() } })
      let loop = try await makeLoop(rig, rig.shipping(to: store))
      try await running(loop) {
        try await expectEventually { store.calls.contains(where: \.isPut) }
        // It would wait for the upload, if it stopped the loop first.
        let error = await #expect(throws: SeekError.self) { _ = try await seek(loop, to: 99) }
        #expect(error?.code == .outOfBounds)
        let dry = try await loop.seek(
          SeekRequest(consumer: .s3, offset: offset(11), maySkip: true), dryRun: true)
        #expect(dry.to == offset(11))
        gate.set(())
      }
      try await expectOnce(rig, store, 10)
    }
  }

  @Test func `one move at a time`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(20))
      let store = ScriptedStore()
      let gate = Latch<Void>()
      store.hook(before: { call in if call.isPut { try await gate.wait() } })
      let loop = try await makeLoop(rig, rig.shipping(to: store))
      try await running(loop) {
        try await expectEventually { store.calls.contains(where: \.isPut) }
        async let first = seek(loop, to: 1)
        try await expectEventually { loop.isPausing }
        await #expect(throws: MoveUnderWay.self) { _ = try await seek(loop, to: 1) }
        gate.set(())
        _ = try await first
        _ = try await seek(loop, to: 1)
      }
      try await expectOnce(rig, store, 20)
    }
  }

  @Test func `a move that is called off lets the loop go on`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(20))
      let store = ScriptedStore()
      let gate = Latch<Void>()
      store.hook(before: { call in if call.isPut { try await gate.wait() } })
      let loop = try await makeLoop(rig, rig.shipping(to: store))
      try await running(loop) {
        try await expectEventually { store.calls.contains(where: \.isPut) }
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            await #expect(throws: CancellationError.self) { _ = try await self.seek(loop, to: 1) }
          }
          try await expectEventually { loop.isPausing }
          group.cancelAll()
          try await group.waitForAll()
        }
        gate.set(())
      }
      try await expectOnce(rig, store, 20)
    }
  }

  @Test func `a loop that drains ships again what it is moved back to`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(30))
      let store = ScriptedStore()
      let gate = Latch<Void>()
      store.hook(before: { call in
        if case .put(let key) = call, key.contains("-21-30.") { try await gate.wait() }
      })
      let loop = try await makeLoop(rig, rig.shipping(to: store))
      loop.startDraining()
      async let end: Void = loop.run()
      try await expectEventually { try await rig.next(.s3) == offset(21) }
      async let moved = seek(loop, to: 1)
      try await expectEventually { loop.isPausing }
      gate.set(())
      _ = try await moved
      try await end
      #expect(store.puts.filter { $0.contains("-1-10.") }.count == 2)
      try await expectOnce(rig, store, 30)
      // After its end the log is moved all the same; the next start ships it.
      _ = try await seek(loop, to: 11)
      #expect(try await rig.next(.s3) == offset(11))
    }
  }

  @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
  func `random moves amid failures deliver or record each tick`(seed: UInt64) async throws {
    try await ShippingRig.with { rig in
      var generator = SplitMix64(seed: seed)
      try await rig.log.append(ticks(150))
      let store = ScriptedStore()
      let faults = Shared(SplitMix64(seed: seed &+ 100))
      store.hook(
        before: { call in
          let number = faults.withLock { $0.next() } % 10
          if number < 2 { throw AWSError.answer(503, .transient) }
        },
        after: { call in
          // It arrived, and the answer is lost.
          if call.isPut, faults.withLock({ $0.next() }) % 6 == 0 { throw AWSError.answer(500, .transient) }
        })
      let loop = try await makeLoop(rig, rig.shipping(to: store, .test(rows: 7, concurrency: 3)))
      try await running(loop) {
        for _ in 0..<12 {
          // Some way on, or at the end, where a batch waits to fill.
          let calls = store.calls.count + Int.random(in: 0...20, using: &generator)
          try await expectEventually {
            if store.calls.count >= calls || rig.clock.waiting.contains(where: { $0 <= .seconds(30) }) {
              return true
            }
            return try await rig.next(.s3) == offset(151)
          }
          do {
            _ = try await seek(
              loop, to: .random(in: 1...151, using: &generator),
              skip: Int.random(in: 0..<4, using: &generator) == 0)
          } catch let error as SeekError {
            #expect(error.code == .needsSkip, "seed \(seed)")
          }
        }
      }
      let inObjects = store.objects.values.flatMap { numbers(inRows: $0.body) }
      #expect(Set(inObjects).count == inObjects.count, "seed \(seed): a tick is in two objects")
      let skipped = try await rig.reading { try await $0.skipped(of: .s3, in: offsets(1...150)) }
      for number in 1...Int64(150) where !inObjects.contains(number) {
        #expect(skipped.contains { $0.contains(offset(number)) }, "seed \(seed): \(number) is lost")
      }
      #expect(store.sent.allSatisfy { $0.value.count == 1 }, "seed \(seed)")
      #expect(try await rig.next(.s3) == offset(151), "seed \(seed)")
      #expect(
        try await LogVerification.of(path: rig.path, consumers: [S3Settings.consumers.remote]).problems.first
          .map(\.text)
          == [], "seed \(seed)")
    }
  }
}

/// A value that several tasks change.
private final class Shared<Value: Sendable>: Sendable {
  private let value: Mutex<Value>

  init(_ value: Value) { self.value = Mutex(value) }

  func withLock<T: Sendable>(_ body: (inout sending Value) -> T) -> T { value.withLock { body(&$0) } }
  var current: Value { value.withLock { $0 } }
}
