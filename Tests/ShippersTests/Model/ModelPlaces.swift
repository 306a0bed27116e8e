import AWS
import Base
import ShippingFixtures

@testable import Shippers
@testable import WAL

/// The bucket, as a process reaches it.
struct ModelStore: ObjectStore {
  let process: ModelProcess
  var bucket: String { "bucket" }

  func put(_ object: NewObject) async throws -> Bool {
    let key = object.key
    let stored = DeliveryModel.Object(sha256: object.sha256, numbers: numbers(inRows: object.body))
    try await process.expectPlan(of: object)
    return try await process.call("put \(key)", late: .object(key, stored)) { fault in
      if case .taken(let looks) = fault { process.world.take(key, looks: looks) }
      if fault == .falsePrecondition { return process.isAlive ? false : nil }
      return process.world.put(process.number, key, stored)
    }
  }

  func stored(_ key: String) async throws -> StoredObject? {
    try await process.call("head \(key)") { _ in process.world.head(process.number, key) }
  }

  func content(_ key: String) async throws -> ObjectContent? {
    preconditionFailure("a walk compares nothing")
  }

  func readNote(_ key: String) async throws -> [UInt8]? {
    try await process.call("read \(key)") { _ in process.world.note(process.number) }
  }

  func writeNote(_ key: String, _ body: [UInt8]) async throws {
    // The word of a log that is held is not its lease.
    try await process.call("write \(key)") { _ in
      key.hasSuffix(".held.json") ? () : process.world.setNote(process.number, body)
    }
  }

  func look(key: String, object: NewObject, writes: Bool) -> [DoctorFinding] { [] }
  func listing(prefix: String, after start: String?) -> any ObjectListing {
    OnePage {
      try await process.call("list \(prefix)") { _ in process.world.keys(process.number) }
        .filter { $0.hasPrefix(prefix) && $0 > start ?? "" }.sorted()
    }
  }
}

/// The table, as a process reaches it.
struct ModelTable: ItemBatchTable {
  let process: ModelProcess
  let writeMode: ItemSettings.WriteMode
  private static let encoder = UpdateItemEncoder(table: "t")

  // Never heard, so that it is asked each time.
  var clock: TableClock { TableClock() }

  func askDate() async throws -> Int64? {
    let date: Int64 = try await process.call("clock") { _ in process.isAlive ? ModelTick.tableClock : nil }
    return date
  }

  func request(_ attributes: ItemAttributes) -> [UInt8] { Self.encoder.encode(attributes) }

  func write(_ body: [UInt8]) async throws -> ItemRefusal? {
    let item = try Item(body)
    guard let number = ModelTick.number(of: item) else { preconditionFailure("no tick of a walk: \(item)") }
    let refusal = ItemRefusal(cause: "bad number", blame: .item)
    if ModelTick(number).isRefused {
      return try await process.call("write \(number)") { _ in process.isAlive ? refusal : nil }
    }
    try await process.call("write \(number)", late: .item(number, item)) { _ in
      process.world.write(process.number, number, item)
    }
    return nil
  }

  func submit(
    _ body: [UInt8], isPatient: Bool,
    _ completion: @escaping @Sendable (Result<ItemRefusal?, any Error>) -> Wake?
  ) -> CallOff? { begin(body, completion) }

  func items(under keys: [ItemKey]) async throws -> [ItemKey: [ItemAttributes.Name: String]] {
    preconditionFailure("a walk compares nothing")
  }

  func look() -> [DoctorFinding] { [] }

  func hasRightKeys() async throws -> Bool {
    try await process.call("describe") { _ in process.isAlive ? true : nil }
  }
}

/// The same, with several items a request.
extension ModelTable {
  private static let putEncoder = PutItemEncoder(table: "t")

  var inBatches: (any ItemBatchTable)? { writeMode == .batch ? self : nil }

  func put(_ attributes: ItemAttributes) -> [UInt8] { Self.putEncoder.put(attributes) }

  /// Some of them are often left for another request.
  func write(puts: [[UInt8]]) async throws -> BatchOutcome {
    let items = try Item.puts(Self.putEncoder.encode(puts)).map { item in
      guard let number = ModelTick.number(of: item) else { preconditionFailure("no tick of a walk: \(item)") }
      return (number, item)
    }
    let name = "put \(items.map { "\($0.0)" }.joined(separator: " "))"
    if items.contains(where: { ModelTick($0.0).isRefused }) {
      return try await process.call(name) { _ in process.isAlive ? .refused : nil }
    }
    // Never all of them, so that this has an end.
    let left = items.dropFirst().filter { process.dice.happens("\(name) without \($0.0)", oneIn: 8) }
    let written = items.filter { item in !left.contains { $0.0 == item.0 } }
    return try await process.call(name, late: .items(written)) { _ in
      for (number, item) in written where process.world.write(process.number, number, item) == nil {
        return nil
      }
      guard !left.isEmpty else { return .written }
      process.world.note(.itemsLeft)
      return .partly(unwritten: left.map { Self.key(of: $0.1) }, .answer(200, .throttled, "UnprocessedItems"))
    }
  }

  private static func key(of item: Item) -> ItemKey {
    let parts = item.key.split(separator: " ").map(String.init)
    return ItemKey(streamType: parts[0], isoTimestamp: parts[1])
  }

  func submit(
    puts: [[UInt8]], isPatient: Bool,
    _ completion: @escaping @Sendable (Result<BatchOutcome, any Error>) -> Wake?
  ) -> CallOff? { begin({ try await write(puts: puts) }, completion) }
}
