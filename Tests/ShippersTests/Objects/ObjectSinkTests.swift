import AWS
import Base
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

@Suite struct ObjectSinkTests {
  /// Each offset is in exactly one of the objects, and no key was ever given two contents.
  private func expectAll(
    _ count: Int64, in store: ScriptedStore, except missing: Set<Int64> = [], _ comment: Comment? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let rows = store.objects.values.flatMap { numbers(inRows: $0.body) }.sorted()
    #expect(rows == (1...count).filter { !missing.contains($0) }, comment, sourceLocation: sourceLocation)
    for (key, contents) in store.sent {
      #expect(
        contents.count == 1, "\(key) was sent with \(contents.count) contents", sourceLocation: sourceLocation
      )
    }
  }

  @Test func `a backlog becomes objects and shipped plans`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      let store = ScriptedStore()
      let end = try await rig.drain(rig.shipping(to: store))
      #expect(end.next == offset(26))
      expectAll(25, in: store)
      let logID = try await rig.reading { try await $0.logID() }
      #expect(
        try await rig.query(
          "SELECT first_offset || '-' || last_offset || ' ' || rows || ' ' || state || ' ' || bucket || ' ' || key FROM batches"
        )
          == [1...10, 11...20, 21...25].map { range in
            let time = "2026-11-21T05-13-20.\(123_456 + range.lowerBound * 1_000)Z"
            return "\(range.lowerBound)-\(range.upperBound) \(range.count) shipped bucket "
              + "p/dt=2026-11-21/hour=05/f-\(time)-\(logID)-\(range.lowerBound)-\(range.upperBound).jsonl"
          })
      let object = try #require(store.objects.values.first { $0.range == offsets(21...25) })
      #expect(object.rows == 5)
      #expect(object.sha256 == SHA256.hash(object.body).hex)
      #expect(object.logID == logID)
      #expect(try await rig.next(.s3) == offset(26))
    }
  }

  @Test func `bad rows become dead letters with the offset and a batch of them alone no object`() async throws
  {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(30))
      try await rig.damage([3] + Array(11...20))
      let store = ScriptedStore()
      let end = try await rig.drain(rig.shipping(to: store))
      #expect(end.deadLetters == 11)
      expectAll(30, in: store, except: Set([3] + Array(11...20)))
      #expect(store.objects.count == 2)
      #expect(
        try await rig.deadLetters
          == ([3] + Array(11...20)).map { "\($0) s3 the row's checksum is wrong" })
      #expect(
        try await rig.query("SELECT state || rows || key FROM batches WHERE first_offset = 11") == [
          "shipped0"
        ])
      #expect(
        try await rig.query("SELECT CAST(payload AS TEXT) FROM dead_letters WHERE offset = 3") == [
          "{\"n\":3}"
        ])
    }
  }

  @Test(arguments: [
    AWSError.answer(403, .credentialsRefused, "AccessDenied"), .answer(503, .throttled, "SlowDown"),
    .answer(500, .transient), .answer(409, .transient, "ConditionalRequestConflict"),
    .answer(404, .missing, "NoSuchBucket"), .answer(400, .permanent, "InvalidArgument"),
    .answer(400, .credentialsRefused, "ExpiredToken"),
    AWSError(.transport, .transient, operation: "PutObject", message: "timed out"),
  ])
  func `no answer of the store makes a dead letter or loses a tick`(error: AWSError) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      let store = ScriptedStore()
      let failures = Counter()
      store.hook(before: { call in
        if call.isPut, failures.next() <= 60 { throw error }
      })
      let end = try await rig.drain(rig.shipping(to: store))
      #expect(end.next == offset(26))
      #expect(end.deadLetters == 0)
      expectAll(25, in: store)
      #expect(try await rig.deadLetters.isEmpty)
      #expect(
        rig.logs.messages(error.needsOperator ? .error : .warning).contains(
          "could not deliver: trying again until it works"))
      // Said a few times, not sixty.
      #expect(rig.logs.messages(.warning).count < 20)
    }
  }

  @Test func `an upload whose answer was lost is found again`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      let store = ScriptedStore()
      let puts = Counter()
      store.hook(after: { call in
        if call.isPut, puts.next() == 1 { throw AWSError.answer(500, .transient) }
      })
      try await rig.drain(rig.shipping(to: store))
      expectAll(10, in: store)
      #expect(store.calls.filter(\.isPut).count == 2)
      #expect(store.calls.filter(\.isHead).count == 1)
    }
  }

  @Test func `a key that was taken and is free again is tried again after a pause`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      let store = ScriptedStore()
      let heads = Counter()
      store.hook(before: { call in
        switch call {
        case .put(let key): if heads.count < 5 { store.setForeign(key, sha256: .some(nil)) }
        case .head(let key): if heads.next() <= 5 { store.setForeign(key, sha256: nil) }
        default: break
        }
      })
      try await rig.drain(rig.shipping(to: store))
      expectAll(10, in: store)
      #expect(store.puts.count == 6)
      #expect(rig.clock.sleeps.filter { $0 < Lease.firstLook }.count == 5)
    }
  }

  @Test(arguments: ["somebody else's", nil])
  func `a foreign object holds the consumer until it is moved away`(sha256: String?) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(60))
      let store = ScriptedStore()
      let taken = Mutex<String?>(nil)
      store.hook(before: { call in
        guard case .put(let key) = call, key.contains("-1-10.") else { return }
        taken.withLock { known in
          if known == nil {
            store.setForeign(key, sha256: .some(sha256))
            known = key
          }
        }
      })
      let control = ShippingControl()
      try await rig.beside(rig.shipping(to: store), control: control) {
        try await expectEventually { rig.clock.waiting.count == 2 }
        // The other three places of the window are used, then nothing passes.
        try await expectEventually { store.objects.count == 3 }
        let heads = store.calls.filter(\.isHead).count
        #expect(heads == 1)
        for minute in 1...3 {
          rig.clock.advance(by: .seconds(60))
          try await expectEventually { store.calls.filter(\.isHead).count == heads + minute }
          try await expectEventually {
            rig.clock.waiting.count == 2 && rig.clock.waiting.allSatisfy { $0 > .zero }
          }
        }
        #expect(store.objects.count == 3)
        #expect(try await rig.next(.s3) == .first)
        #expect(rig.logs.messages(.error).count == 4)
        #expect(rig.logs.messages(.notice).isEmpty)
        let held = try #require(rig.logs.entries.first { $0.level == .error })
        #expect(held.metadata["stored_sha256"] == "\(sha256 ?? "none")")
        #expect(held.metadata["bucket"] == "bucket")
        let key = try #require(taken.withLock { $0 })
        // Who looks at the log alone sees it, too.
        let why = "SELECT json_extract(value, '$.why') FROM meta WHERE key = 'held s3'"
        #expect(try await rig.query(why).first?.contains("key=\(key)") == true)
        store.setForeign(key, sha256: nil)
        rig.clock.advance(by: .seconds(60))
        try await expectEventually { try await rig.next(.s3) == offset(61) }
        #expect(try await rig.query(why) == [])
      }
      expectAll(60, in: store)
      #expect(try await rig.deadLetters.isEmpty)
    }
  }

  /// Ends the shippers at the Nth call to the store, before or after its effect, for N = 1, 2, 3 … and starts
  /// them anew on the same log.
  @Test(arguments: [true, false])
  func `whatever the moment of a crash each offset is in one object`(beforeTheEffect: Bool) async throws {
    // The note, five uploads, the note again.
    for crash in 1...7 {
      try await ShippingRig.with { rig in
        try await rig.log.append(ticks(47))
        let store = ScriptedStore()
        let calls = Counter()
        let crashed = Latch<Void>()
        let hook: ScriptedStore.Hook = { _ in
          if calls.next() >= crash {
            crashed.set(())
            try await untilCancelled()
          }
        }
        if beforeTheEffect { store.hook(before: hook) } else { store.hook(after: hook) }
        let control = ShippingControl()
        control.startDraining()
        try await rig.beside(rig.shipping(to: store, .test(concurrency: 3)), control: control) {
          try await crashed.wait()
        }
        store.hook()
        // Another batch size than before: what was planned keeps its range.
        try await rig.drain(rig.shipping(to: store, .test(rows: 4, concurrency: 3)))
        expectAll(47, in: store, "crash at call \(crash)")
        #expect(try await rig.next(.s3) == offset(48))
        let ranges = try await rig.query(
          "SELECT first_offset || '-' || last_offset FROM batches WHERE state = 'shipped' ORDER BY first_offset"
        )
        #expect(ranges.count == store.objects.count)
      }
    }
  }

  @Test func `what was confirmed before a cancellation is committed`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(41))
      let store = ScriptedStore()
      let entered = Counter()
      let clock = rig.clock
      // The source waits for the batch of the last tick to fill.
      let sourceWaits = { @Sendable in clock.waiting.contains { $0 <= .seconds(30) } }
      // All four are on their way; each is stored although it was cancelled, as an answer that was received.
      store.hook(before: { call in
        guard call.isPut else { return }
        _ = entered.next()
        do { try await untilCancelled() } catch is CancellationError {}
        // The source ends first. Looked at from a task that was not cancelled.
        try await Task { try await expectEventually { !sourceWaits() } }.value
      })
      try await rig.beside(rig.shipping(to: store)) {
        try await expectEventually { entered.count == 4 && sourceWaits() }
        #expect(try await rig.next(.s3) == .first)
      }
      #expect(store.objects.count == 4)
      #expect(try await rig.next(.s3) == offset(41))
      #expect(try await rig.query("SELECT count(*) || state FROM batches GROUP BY state") == ["4shipped"])
    }
  }

  @Test func `stopping finishes what is on its way and starts nothing new`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(200))
      let store = ScriptedStore()
      let entered = Counter()
      let go = Latch<Void>()
      store.hook(before: { call in
        guard call.isPut else { return }
        _ = entered.next()
        try await go.wait()
      })
      let control = ShippingControl()
      async let end = rig.run(rig.shipping(to: store), control)
      try await expectEventually { entered.count == 4 }
      control.startStopping()
      go.set(())
      #expect(try await end.next == offset(41))
      #expect(store.puts.count == 4)
    }
  }

  // MARK: Content that changed

  /// Leaves a plan of offsets 1 to 10 open, with or without its object.
  private func leaveOpenPlan(_ rig: ShippingRig, _ store: ScriptedStore, isStored: Bool) async throws {
    let crashed = Latch<Void>()
    let hook: ScriptedStore.Hook = { call in
      guard call.isPut else { return }
      crashed.set(())
      try await untilCancelled()
    }
    if isStored { store.hook(after: hook) } else { store.hook(before: hook) }
    try await rig.beside(rig.shipping(to: store)) { try await crashed.wait() }
    store.hook()
    #expect(store.objects.isEmpty != isStored)
  }

  @Test func `changed content that was not uploaded is planned beside the old hash`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      let store = ScriptedStore()
      try await leaveOpenPlan(rig, store, isStored: false)
      let before = try await rig.query("SELECT key || ' ' || sha256 FROM batches")
      try await rig.damage([4])
      try await rig.drain(rig.shipping(to: store))
      expectAll(10, in: store, except: [4])
      #expect(try await rig.deadLetters == ["4 s3 the row's checksum is wrong"])
      #expect(
        try await rig.query("SELECT key || ' ' || json_extract(earlier_sha256, '$[0]') FROM batches")
          == before)
      #expect(try await rig.query("SELECT rows || state FROM batches") == ["9shipped"])
      let object = try #require(store.objects.values.first)
      #expect(try await rig.query("SELECT sha256 FROM batches") == [object.sha256])
    }
  }

  @Test func `changed content that was uploaded before is shipped as it is`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      let store = ScriptedStore()
      try await leaveOpenPlan(rig, store, isStored: true)
      try await rig.damage([4])
      try await rig.drain(rig.shipping(to: store))
      expectAll(10, in: store)
      // The row is in the object.
      #expect(try await rig.deadLetters.isEmpty)
      #expect(store.puts.count == 1)
      #expect(try await rig.query("SELECT state || rows FROM batches") == ["shipped10"])
    }
  }

  @Test func `a plan without rows that has some again gets a key`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(3))
      let store = ScriptedStore()
      let destination = S3Address(endpoint: "http://s3", bucket: "bucket", prefix: "p").json
      try await rig.log.write { transaction in
        try transaction.plan(
          BatchPlan(
            consumer: .s3, range: offsets(1...3), destination: destination, bucket: "bucket", key: "",
            rows: 0,
            sha256: SHA256.hash([]).hex))
      }
      try await rig.drain(rig.shipping(to: store))
      expectAll(3, in: store)
      #expect(store.calls.allSatisfy { !$0.isHead })
    }
  }

  @Test func `another compression does not change what was planned`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      let store = ScriptedStore()
      try await leaveOpenPlan(rig, store, isStored: false)
      try await rig.log.append(ticks(10, from: 11))
      try await rig.drain(rig.shipping(to: store, .test(compression: .gzip(level: 1))))
      for object in store.objects.values {
        #expect(object.isCompressed == object.key.hasSuffix(".jsonl.gz"))
        let text = object.isCompressed ? try await gunzip(object.body) : object.body
        #expect(numbers(inRows: text) == Array(object.range.numbers))
      }
      #expect(store.objects.values.filter(\.isCompressed).map(\.range) == [offsets(11...20)])
    }
  }

  // MARK: Other places

  private static let other = S3Address(endpoint: "http://s3", bucket: "other", prefix: "p")

  @Test(arguments: [true, false])
  func `open plans of another destination are looked up there first`(isStored: Bool) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      let old = ScriptedStore()
      try await leaveOpenPlan(rig, old, isStored: isStored)
      let new = ScriptedStore(bucket: "other")
      let asked = Mutex<[String]>([])
      let shipping = rig.shipping(to: new, address: Self.other) { address in
        asked.withLock { $0.append(address) }
        return old
      }
      await #expect(throws: LogError.self) { try await rig.drain(shipping) }
      try await rig.drain(shipping, acceptDestinations: true)
      #expect(asked.withLock { $0 } == [S3Address(endpoint: "http://s3", bucket: "bucket", prefix: "p").json])
      #expect(old.calls.filter(\.isHead).count == 1)
      expectAll(10, in: isStored ? old : new)
      #expect((isStored ? new : old).objects.isEmpty)
      #expect(
        try await rig.query("SELECT state || bucket FROM batches") == [
          isStored ? "shippedbucket" : "shippedother"
        ])
    }
  }

  @Test func `an adopted log names its objects anew`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      let store = ScriptedStore()
      try await leaveOpenPlan(rig, store, isStored: false)
      let ids = try await rig.log.adopt()
      try await rig.drain(rig.shipping(to: store) { _ in store })
      expectAll(10, in: store)
      #expect(store.objects.keys.allSatisfy { $0.contains("-\(ids.new)-1-10.") })
      #expect(store.notes.keys.sorted() == ["p/_logs/\(ids.new).json", "p/_logs/\(ids.old).json"].sorted())
    }
  }
}
