import AWS
import Base
import Foundation
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

/// What every object store does: the test's own, a folder, and S3.
@Suite struct ObjectStoreContractTests {
  enum Kind: CaseIterable {
    case scripted, folder, s3, s3WithoutConditions
  }

  private func with(_ kind: Kind, _ body: (any ObjectStore) async throws -> Void) async throws {
    try await withTemporaryFolder { folder in
      switch kind {
      case .scripted: try await body(ScriptedStore())
      case .folder: try await body(LocalObjectStore(root: folder + "/objects"))
      case .s3, .s3WithoutConditions:
        let s3 = SmallS3(isConditional: kind == .s3)
        let transport = ScriptedTransport { request, _ in s3.answer(request) }
        try await body(S3Store(client: S3Client(try transport.client()), bucket: "bucket"))
      }
    }
  }

  private func object(_ key: String, numbers: ClosedRange<Int64>, isCompressed: Bool = false) -> NewObject {
    var builder = BatchBuilder(
      first: offset(numbers.lowerBound),
      settings: .test(rows: 100, compression: isCompressed ? .gzip(level: 6) : .none))
    let batch = ticks(numbers.count, from: Int(numbers.lowerBound))
    batch.bytes.withUnsafeBufferPointer { bytes in
      for entry in batch.entries {
        _ = builder.add(
          receivedAt: entry.receivedAt, stream: UnsafeBufferPointer(rebasing: bytes[entry.stream]),
          payload: UnsafeBufferPointer(rebasing: bytes[entry.payload]))
      }
    }
    return NewObject(builder.finish(), key: key, logID: LogID(rawValue: "0123456789abcdef"))
  }

  @Test(arguments: Kind.allCases, [false, true])
  func `what is stored is found by the hash of its text`(kind: Kind, isCompressed: Bool) async throws {
    try await with(kind) { (store) async throws in
      let key = isCompressed ? "a/dt=2026-11-21/x.jsonl.gz" : "a/dt=2026-11-21/x.jsonl"
      #expect(try await store.stored(key) == nil)
      let object = object(key, numbers: 1...50, isCompressed: isCompressed)
      #expect(try await store.put(object))
      #expect(try await store.stored(key) == StoredObject(sha256: object.sha256))
    }
  }

  @Test(arguments: Kind.allCases)
  func `a key that is taken stays as it is`(kind: Kind) async throws {
    try await with(kind) { (store) async throws in
      let first = object("a/x.jsonl", numbers: 1...5)
      #expect(try await store.put(first))
      #expect(try await store.put(object("a/x.jsonl", numbers: 6...9)) == false)
      #expect(try await store.stored("a/x.jsonl") == StoredObject(sha256: first.sha256))
      #expect(try await store.put(object("a/y.jsonl", numbers: 6...9)))
    }
  }

  @Test(arguments: Kind.allCases)
  func `notes are replaced`(kind: Kind) async throws {
    try await with(kind) { (store) async throws in
      #expect(try await store.readNote("a/_logs/x.json") == nil)
      try await store.writeNote("a/_logs/x.json", Array("one".utf8))
      try await store.writeNote("a/_logs/x.json", Array("two".utf8))
      #expect(try await store.readNote("a/_logs/x.json") == Array("two".utf8))
    }
  }

  @Test(arguments: Kind.allCases)
  func `a listing begins where it is asked to`(kind: Kind) async throws {
    try await with(kind) { (store) async throws in
      #expect(try await keys(store.listing(prefix: "a/dt=", after: "a/dt=1")) == [])
      let all = [
        "a/dt=1/hour=04/x", "a/dt=1/hour=05/m", "a/dt=1/hour=05/x", "a/dt=2/hour=00/x", "a/dx/x", "a/x",
        "b/dt=3/x",
      ]
      for key in all { #expect(try await store.put(object(key, numbers: 1...2))) }
      #expect(try await keys(store.listing(prefix: "a/dt=", after: nil)) == Array(all[..<4]))
      #expect(try await keys(store.listing(prefix: "a/dt=", after: "a/dt=1/hour=05/")) == Array(all[1..<4]))
      #expect(try await keys(store.listing(prefix: "a/dt=", after: "a/dt=1/hour=05/m")) == Array(all[2..<4]))
      #expect(try await keys(store.listing(prefix: "a/dt=", after: "a/dt=1/hour=05/n")) == Array(all[2..<4]))
      #expect(try await keys(store.listing(prefix: "a/dt=", after: "a/dt=3")) == [])
      #expect(try await keys(store.listing(prefix: "", after: "a/dx")) == Array(all[4...]))
    }
  }

  private func keys(_ listing: any ObjectListing) async throws -> [String] {
    var keys: [String] = []
    while let page = try await listing.next() { keys += page }
    return keys.sorted()
  }

  @Test(arguments: Kind.allCases)
  func `a backlog with crashes ends in one object for each offset`(kind: Kind) async throws {
    try await with(kind) { (store) async throws in
      try await ShippingRig.with { rig in
        try await rig.log.append(ticks(35))
        let flaky = FlakyStore(store)
        for stopAfter in 1...6 {
          let crashed = flaky.crash(afterCalls: stopAfter)
          let control = ShippingControl()
          control.startDraining()
          try await rig.beside(rig.shipping(to: flaky), control: control) {
            try await expectEventually {
              let next = try await rig.next(.s3)
              return crashed.value != nil || next == offset(36)
            }
          }
        }
        flaky.goOn()
        try await rig.drain(rig.shipping(to: flaky))
        #expect(try await rig.next(.s3) == offset(36))
        let shipped = try await rig.query("SELECT key || ' ' || sha256 FROM batches WHERE state = 'shipped'")
        #expect(shipped.count == 4)
        for line in shipped {
          let parts = line.split(separator: " ").map(String.init)
          #expect(try await store.stored(parts[0]) == StoredObject(sha256: parts[1]))
        }
      }
    }
  }

  @Test(arguments: Kind.allCases)
  func `gaps with crashes end in one object each`(kind: Kind) async throws {
    try await with(kind) { (store) async throws in
      try await ShippingRig.with { rig in
        let flaky = FlakyStore(store)
        for stopAfter in 1...6 {
          let open = try await rig.log.write { transaction in
            let gaps = try (1...3).map { _ in
              try transaction.openGap(startedAt: someTime, cause: .stale, streams: ["a@trade"])
            }
            try transaction.closeGap(gaps[0], endedAt: someTime + 1)
            return gaps[1]
          }
          let crashed = flaky.crash(afterCalls: stopAfter)
          let control = ShippingControl()
          control.startDraining()
          try await rig.beside(rig.shipping(to: flaky), control: control) {
            try await expectEventually { crashed.value != nil }
          }
          try await rig.log.write { try $0.closeGap(open, endedAt: someTime + 2) }
        }
        flaky.goOn()
        try await rig.drain(rig.shipping(to: flaky))
        let logID = try await rig.reading { try await $0.logID() }
        for gap in try await rig.reading({ try await $0.gaps(from: Gap.ID(rawValue: 1), atMost: 100) }) {
          let object = GapObject(gap, logID: logID, settings: .test())
          #expect(try await store.readNote(object.key) == object.body)
        }
      }
    }
  }

  // MARK: S3's own

  @Test func `an upload says all about the object`() async throws {
    let s3 = SmallS3()
    let transport = ScriptedTransport { request, _ in s3.answer(request) }
    let store = S3Store(client: S3Client(try transport.client()), bucket: "bucket")
    let object = object("a/dt=2026-11-21/x.jsonl.gz", numbers: 41...50, isCompressed: true)
    #expect(try await store.put(object))
    let request = try #require(transport.requests.first)
    #expect(request.method == .put)
    #expect(request.path == "/bucket/a/dt%3D2026-11-21/x.jsonl.gz")
    #expect(request.body == object.body)
    let expected = [
      "Content-Type": "application/json", "Content-Encoding": "gzip", "If-None-Match": "*",
      "x-amz-checksum-sha256": SHA256.hash(object.body).base64, "x-amz-meta-log-id": "0123456789abcdef",
      "x-amz-meta-first-offset": "41", "x-amz-meta-last-offset": "50", "x-amz-meta-rows": "10",
      "x-amz-meta-sha256": object.sha256,
    ]
    for (name, value) in expected { #expect(request.headers[name] == value, "\(name)") }
    #expect(numbers(inRows: try await gunzip(request.body)) == Array(41...50))
  }

  @Test func `plain text has no encoding`() async throws {
    let transport = ScriptedTransport { _, _ in .answer(200, ["ETag": "\"e\""]) }
    let store = S3Store(client: S3Client(try transport.client()), bucket: "bucket")
    #expect(try await store.put(object("x.jsonl", numbers: 1...2)))
    #expect(transport.requests.first?.headers["Content-Encoding"] == nil)
  }

  @Test(arguments: [
    (403, "AccessDenied"), (409, "ConditionalRequestConflict"), (500, "InternalError"), (503, "SlowDown"),
    (404, "NoSuchBucket"), (400, "BadDigest"),
  ])
  func `every other answer to a put is an error`(status: Int, code: String) async throws {
    let transport = ScriptedTransport { _, _ in .s3Error(status, code) }
    let store = S3Store(client: S3Client(try transport.client()), bucket: "bucket")
    let error = await #expect(throws: AWSError.self) { try await store.put(object("x", numbers: 1...2)) }
    #expect(error?.code.rawValue == code)
    #expect(transport.requests.count == 1)
  }

  @Test func `a refused look is no absence`() async throws {
    let transport = ScriptedTransport { _, _ in .answer(403) }
    let store = S3Store(client: S3Client(try transport.client()), bucket: "bucket")
    await #expect(throws: AWSError.self) { try await store.stored("x") }
    await #expect(throws: AWSError.self) { try await store.readNote("x") }
  }

  // MARK: The folder's own

  @Test func `files are whole under their keys and nothing else is left`() async throws {
    try await withTemporaryFolder { folder in
      let store = try LocalObjectStore(root: folder + "/objects")
      let object = object("a/b/x.jsonl", numbers: 1...5)
      #expect(try await store.put(object))
      #expect(try await store.put(object) == false)
      let names = try FileManager.default.subpathsOfDirectory(atPath: folder + "/objects").sorted()
      #expect(names == [".tmp", "a", "a/b", "a/b/x.jsonl"])
      let file = try Data(contentsOf: URL(fileURLWithPath: folder + "/objects/a/b/x.jsonl"))
      #expect(Array(file) == object.body)
    }
  }

  @Test func `a folder that was removed is made again`() async throws {
    try await withTemporaryFolder { folder in
      let store = try LocalObjectStore(root: folder + "/objects")
      #expect(try await store.put(object("a/x.jsonl", numbers: 1...5)))
      try FileManager.default.removeItem(atPath: folder + "/objects")
      await #expect(throws: SystemError.self) { try await store.put(object("a/y.jsonl", numbers: 1...5)) }
      #expect(try await store.put(object("a/y.jsonl", numbers: 1...5)))
      try FileManager.default.removeItem(atPath: folder + "/objects")
      await #expect(throws: SystemError.self) { try await store.writeNote("a/z.json", [1]) }
      try await store.writeNote("a/z.json", [1])
      #expect(try await store.readNote("a/z.json") == [1])
    }
  }

  @Test func `a file that is not ours has another hash`() async throws {
    try await withTemporaryFolder { folder in
      let store = try LocalObjectStore(root: folder + "/objects")
      #expect(try await store.put(object("x.jsonl", numbers: 1...5)))
      try Data("cut".utf8).write(to: URL(fileURLWithPath: folder + "/objects/x.jsonl"))
      try Data([0x1F, 0x8B, 8]).write(to: URL(fileURLWithPath: folder + "/objects/x.jsonl.gz"))
      #expect(try await store.stored("x.jsonl") == StoredObject(sha256: SHA256.hash(Array("cut".utf8)).hex))
      #expect(try await store.stored("x.jsonl.gz") == StoredObject(sha256: nil))
    }
  }
}

/// Another store, of which a given number of calls returns and the rest waits to be cancelled.
private final class FlakyStore: ObjectStore {
  private let store: any ObjectStore
  private let state = Mutex<(left: Int, crashed: Latch<Void>)>((.max, Latch()))

  init(_ store: any ObjectStore) { self.store = store }

  var bucket: String { store.bucket }

  func crash(afterCalls count: Int) -> Latch<Void> {
    state.withLock { state in
      state = (count, Latch())
      return state.crashed
    }
  }

  func goOn() { state.withLock { $0.left = .max } }

  func put(_ object: NewObject) async throws -> Bool { try await called { try await store.put(object) } }
  func stored(_ key: String) async throws -> StoredObject? {
    try await called { try await store.stored(key) }
  }
  func content(_ key: String) async throws -> ObjectContent? {
    try await called { try await store.content(key) }
  }
  func readNote(_ key: String) async throws -> [UInt8]? { try await called { try await store.readNote(key) } }
  func writeNote(_ key: String, _ body: [UInt8]) async throws {
    try await called { try await store.writeNote(key, body) }
  }

  func look(key: String, object: NewObject, writes: Bool) -> [DoctorFinding] { [] }
  func listing(prefix: String, after start: String?) -> any ObjectListing {
    store.listing(prefix: prefix, after: start)
  }

  private func called<T: Sendable>(_ call: () async throws -> T) async throws -> T {
    let result = try await call()
    let crashed: Latch<Void>? = state.withLock { state in
      state.left -= 1
      return state.left < 0 ? state.crashed : nil
    }
    // After the effect, before anyone hears of it.
    if let crashed {
      crashed.set(())
      try await untilCancelled()
    }
    return result
  }
}
