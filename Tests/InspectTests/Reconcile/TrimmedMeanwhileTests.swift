import ShippingFixtures
import Synchronization
import Testing

@testable import Inspect
@testable import Shippers
@testable import WAL

/// A comparison takes time, and `run` goes on trimming.
@Suite struct TrimmedMeanwhileTests {
  private let items = ItemSettings(table: "t", concurrency: 4, retentionDays: 1)

  /// Compares a folder's objects and items, while everything is trimmed as soon as the first of them was read.
  private func compare(
    _ options: Reconcile.Options, ticks count: Int,
    _ compare: (Reconcile, _ trim: TrimOnce, _ folder: String, [Consumer]) async throws -> Reconciliation
  ) async throws -> Reconciliation {
    var result: Reconciliation?
    try await ShippingRig.with { (rig) async throws in
      try await rig.log.append(ticks(count))
      let folder = rig.folder + "/out"
      for (objects, items) in [(ObjectSettings.test(), nil), (nil, items)]
        as [(ObjectSettings?, ItemSettings?)]
      {
        try await rig.drain(
          try Shipping.toFolder(folder, objects: objects, items: items, clock: rig.clock.shipping))
      }
      try await rig.withReader { (reader) async throws in
        let reconcile = try await Reconcile(
          reader: reader, from: nil, through: nil, options: options, clock: rig.clock.shipping,
          logger: rig.logs.logger, report: { _ in })
        result = try await compare(
          reconcile, TrimOnce(log: rig.log), folder, try await reader.consumers())
        #expect(try await reader.oldest() == nil, "everything was trimmed meanwhile")
      }
    }
    return try #require(result)
  }

  @Test(arguments: [(true, 800), (false, 800)])
  func `items of trimmed ticks are left out`(isFull: Bool, checked: Int) async throws {
    let result = try await compare(Reconcile.Options(isFull: isFull), ticks: 4_000) {
      (reconcile, trim, folder, consumers) async throws in
      let consumer = try #require(consumers.first { $0.name == .localDynamoDB })
      let table = try LocalTable(path: folder + "/table.db", wall: { 0 })
      let result = try await TickComparison(
        reconcile: reconcile, consumer: consumer, unit: "items",
        inventory: ItemInventory(table: TrimmingTable(table, trim), settings: items)
      ).run()
      try await table.close()
      return result
    }
    #expect(result.checked == checked, "those that were read before")
    #expect(result.agreeing == checked)
    #expect(result.agrees)
  }

  @Test func `objects of trimmed ticks are compared with their plans`() async throws {
    let result = try await compare(Reconcile.Options(isFull: true), ticks: 400) {
      (reconcile, trim, folder, consumers) async throws in
      let consumer = try #require(consumers.first { $0.name == .localS3 })
      let store = try LocalObjectStore(root: folder + "/objects")
      return try await ObjectComparison(
        reconcile: reconcile, consumer: consumer, unit: "objects",
        inventory: ObjectInventory(
          store: TrimmingStore(store, trim), openStore: { _ in nil }, settings: .test(),
          address: consumer.destination),
        logID: try await reconcile.reader.logID()
      ).run()
    }
    #expect(result.checked == 40)
    #expect(result.agreeing == 40)
    #expect(result.agrees)
  }
}

/// Trims all ticks, when it is asked for the first time.
private final class TrimOnce: Sendable {
  private let log: TickLog
  private let isDone = Mutex(false)

  init(log: TickLog) { self.log = log }

  func callAsFunction() async throws {
    let wasDone = isDone.withLock { isDone in
      defer { isDone = true }
      return isDone
    }
    guard !wasDone else { return }
    log.startUpkeep(retention: .zero, disk: .off)
    // The first time it is noted how old the ticks are.
    for _ in 0..<2 { try await log.upkeepDone() }
  }
}

private struct TrimmingTable: ItemTable {
  private let table: LocalTable
  private let trim: TrimOnce

  init(_ table: LocalTable, _ trim: TrimOnce) {
    self.table = table
    self.trim = trim
  }

  var clock: TableClock { table.clock }
  func askDate() async throws -> Int64? { await table.askDate() }
  func request(_ attributes: ItemAttributes) -> [String?] { table.request(attributes) }
  func write(_ request: [String?]) async throws -> ItemRefusal? { try await table.write(request) }
  func look() -> [DoctorFinding] { [] }
  func hasRightKeys() async throws -> Bool { await table.hasRightKeys() }

  func items(under keys: [ItemKey]) async throws -> [ItemKey: [ItemAttributes.Name: String]] {
    try await trim()
    return try await table.items(under: keys)
  }
}

private struct TrimmingStore: ObjectStore {
  private let store: LocalObjectStore
  private let trim: TrimOnce

  init(_ store: LocalObjectStore, _ trim: TrimOnce) {
    self.store = store
    self.trim = trim
  }

  var bucket: String { store.bucket }
  func put(_ object: NewObject) async throws -> Bool { try await store.put(object) }
  func stored(_ key: String) async throws -> StoredObject? { try await store.stored(key) }
  func readNote(_ key: String) async throws -> [UInt8]? { try await store.readNote(key) }
  func writeNote(_ key: String, _ body: [UInt8]) async throws { try await store.writeNote(key, body) }
  func look(key: String, object: NewObject, writes: Bool) -> [DoctorFinding] { [] }
  func listing(prefix: String, after start: String?) -> any ObjectListing {
    store.listing(prefix: prefix, after: start)
  }

  func content(_ key: String) async throws -> ObjectContent? {
    try await trim()
    return try await store.content(key)
  }
}
