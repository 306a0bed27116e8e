import AWS
import Base
import Foundation
import ShippingFixtures
import Synchronization
import Testing
import WAL

@testable import Shippers

/// Items in memory, in DynamoDB's form, with a hook before each write.
final class ScriptedTable: ItemTable {
  /// What becomes of a write; `nil` takes it.
  typealias Hook = @Sendable (_ sortKey: String) async throws -> ItemRefusal?

  private struct State {
    let date: Int64?
    var items: [String: Item] = [:]
    var writes = 0
    var descriptions = 0
    var asked = 0
    var hasRightKeys = true
    var hook: Hook = { _ in nil }
  }

  let clock: TableClock
  private let submits: Bool
  private let encoder = UpdateItemEncoder(table: "t")
  private let state: Mutex<State>

  /// - Parameters:
  ///   - date: what the table says when it is asked, epoch seconds.
  ///   - elapsed: the time that goes by for it.
  ///   - submits: whether it takes writes that no task waits for.
  init(date: Int64? = nil, submits: Bool = true, elapsed: @escaping @Sendable () -> Duration = { .zero }) {
    self.submits = submits
    clock = TableClock(elapsed: elapsed)
    state = Mutex(State(date: date))
  }

  var items: [String: Item] { state.withLock { $0.items } }
  var writes: Int { state.withLock { $0.writes } }
  var descriptions: Int { state.withLock { $0.descriptions } }
  var asked: Int { state.withLock { $0.asked } }

  func hook(_ hook: @escaping Hook) { state.withLock { $0.hook = hook } }
  func setRightKeys(_ areRight: Bool) { state.withLock { $0.hasRightKeys = areRight } }

  func askDate() -> Int64? {
    state.withLock { state in
      state.asked += 1
      return state.date
    }
  }

  func request(_ attributes: ItemAttributes) -> [UInt8] { encoder.encode(attributes) }

  func write(_ body: [UInt8]) async throws -> ItemRefusal? {
    let item = try Item(body)
    let hook = state.withLock { state in
      state.writes += 1
      return state.hook
    }
    if let refusal = try await hook(item.key) { return refusal }
    state.withLock { $0.items[item.key] = item }
    return nil
  }

  func submit(
    _ body: [UInt8], isPatient: Bool,
    _ completion: @escaping @Sendable (Result<ItemRefusal?, any Error>) -> Wake?
  ) -> CallOff? { submits ? begin(body, completion) : nil }

  func items(under keys: [ItemKey]) -> [ItemKey: [ItemAttributes.Name: String]] {
    preconditionFailure("nothing is compared with it")
  }

  func look() -> [DoctorFinding] { [] }

  func hasRightKeys() -> Bool {
    state.withLock { state in
      state.descriptions += 1
      return state.hasRightKeys
    }
  }
}

extension ItemTable {
  /// A submission by way of `write`.
  func begin(
    _ request: Request, _ completion: @escaping @Sendable (Result<ItemRefusal?, any Error>) -> Wake?
  ) -> CallOff { begin({ try await write(request) }, completion) }

  /// A submission of any work.
  func begin<Outcome: Sendable>(
    _ work: @escaping @Sendable () async throws -> Outcome,
    _ completion: @escaping @Sendable (Result<Outcome, any Error>) -> Wake?
  ) -> CallOff {
    let task = Task {
      let result: Result<Outcome, any Error>
      do {
        result = .success(try await work())
      } catch {
        result = .failure(error)
      }
      completion(result)?()
    }
    return { task.cancel() }
  }
}

/// An UpdateItem's body read by Foundation and carried out, as the service would.
struct Item: Equatable {
  let table: String
  /// Stream and sort key, joined by a space.
  let key: String
  /// `S:…` or `N:…`.
  let attributes: [String: String]

  init(_ body: [UInt8]) throws {
    let json = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
    #expect(
      Set(json.keys) == [
        "TableName", "Key", "UpdateExpression", "ExpressionAttributeNames", "ExpressionAttributeValues",
      ])
    table = try #require(json["TableName"] as? String)
    let key = try #require(json["Key"] as? [String: [String: String]])
    #expect(Set(key.keys) == ["stream_type", "iso_timestamp"])
    self.key = try #require(key["stream_type"]?["S"]) + " " + (#require(key["iso_timestamp"]?["S"]))
    let names = try #require(json["ExpressionAttributeNames"] as? [String: String])
    let values = try #require(json["ExpressionAttributeValues"] as? [String: [String: String]])
    let expression = try #require(json["UpdateExpression"] as? String)
    try #require(expression.hasPrefix("SET "))
    var attributes: [String: String] = [:]
    for assignment in expression.dropFirst(4).split(separator: ",") {
      let sides = assignment.split(separator: "=").map(String.init)
      try #require(sides.count == 2)
      let value = try #require(values[sides[1]])
      #expect(value.count == 1)
      let (type, text) = try #require(value.first)
      attributes[try #require(names[sides[0]])] = "\(type):\(text)"
    }
    // Unused placeholders are a ValidationException.
    #expect(attributes.count == names.count)
    #expect(attributes.count == values.count)
    self.attributes = attributes
  }

  /// The item that a put of a BatchWriteItem leaves.
  init(put: [String: [String: String]], table: String) throws {
    var (rest, key) = (put, [String]())
    for name in ["stream_type", "iso_timestamp"] {
      key.append(try #require(rest.removeValue(forKey: name)?["S"]))
    }
    self.table = table
    self.key = key.joined(separator: " ")
    attributes = try rest.mapValues { value in
      #expect(value.count == 1)
      let (type, text) = try #require(value.first)
      return "\(type):\(text)"
    }
  }

  /// The items of a BatchWriteItem; of a request that deletes none.
  static func puts(_ body: [UInt8]) throws -> [Item] {
    let json = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
    #expect(Array(json.keys) == ["RequestItems"])
    let tables = try #require(json["RequestItems"] as? [String: [[String: Any]]])
    #expect(tables.count == 1)
    return try tables.flatMap { table, requests in
      try requests.compactMap { request in
        #expect(request.count == 1)
        guard let put = request["PutRequest"] as? [String: Any] else {
          #expect(request["DeleteRequest"] != nil)
          return nil
        }
        return try Item(put: try #require(put["Item"] as? [String: [String: String]]), table: table)
      }
    }
  }
}
