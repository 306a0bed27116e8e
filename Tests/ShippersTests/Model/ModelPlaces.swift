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
    try await process.call("write \(key)") { _ in process.world.setNote(process.number, body) }
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
struct ModelTable: ItemTable {
  let process: ModelProcess
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
