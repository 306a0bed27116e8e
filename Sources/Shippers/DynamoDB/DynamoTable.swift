import AWS
import Synchronization

/// Items in a DynamoDB table.
final class DynamoTable: ItemTable {
  private let client: DynamoDBClient
  private let name: String
  private let encoder: UpdateItemEncoder
  /// Epoch seconds of the last answer.
  private let heard = Atomic<Int>(0)

  init(client: DynamoDBClient, name: String) {
    self.client = client
    self.name = name
    encoder = UpdateItemEncoder(table: name)
  }

  var clock: Int64? {
    let known = heard.load(ordering: .relaxed)
    return known > 0 ? Int64(known) : nil
  }

  func askClock() async throws -> Int64 {
    do {
      note(try await client.describeTable(name).answer.date)
    } catch let error as AWSError where error.date != nil {
      // A refusal tells the time as well, and the right to describe tables may be missing.
      note(error.date)
    }
    guard let clock else {
      throw AWSError(
        .unexpectedAnswer, .transient, operation: "DescribeTable", message: "the answer has no Date")
    }
    return clock
  }

  func request(_ attributes: ItemAttributes) -> [UInt8] { encoder.encode(attributes) }

  /// - Parameter body: of an UpdateItem.
  func write(_ body: [UInt8]) async throws -> ItemRefusal? {
    do {
      note(try await client.updateItem(body: body).date)
      return nil
    } catch let error as AWSError where DynamoTable.blamesTheItem(error) {
      note(error.date)
      let message = error.message.lowercased()
      return ItemRefusal(
        cause: "\(error)",
        concernsKeySchema: message.contains("key element") || message.contains("key schema")
          || message.contains("missing the key"))
    }
  }

  func hasRightKeys() async throws -> Bool {
    let table = try await client.describeTable(name)
    note(table.answer.date)
    return table.keys == [
      TableDescription.Key(name: ItemAttributes.Name.streamType.text, role: .hash, type: "S"),
      TableDescription.Key(name: ItemAttributes.Name.isoTimestamp.text, role: .range, type: "S"),
    ]
  }

  func look() async throws -> [DoctorFinding] {
    try await TableLook(client: client, name: name).findings()
  }

  private func note(_ date: Int?) {
    if let date { heard.store(date, ordering: .relaxed) }
  }

  /// A 413 must be the service's own: a request above 16 MB gets it; a proxy's page says nothing of the item.
  ///
  /// Reference: Amazon DynamoDB Developer Guide, "Error handling".
  private static func blamesTheItem(_ error: AWSError) -> Bool {
    error.code == .validation || error.code == "SerializationException"
      || (error.status == 413 && error.code != .unexpectedAnswer)
  }
}

extension DynamoTable {
  func items(under keys: [ItemKey]) async throws -> [ItemKey: [ItemAttributes.Name: String]] {
    let (streamType, isoTimestamp) = (
      ItemAttributes.Name.streamType.text, ItemAttributes.Name.isoTimestamp.text
    )
    var rest: [DynamoItem] = keys.map {
      [streamType: .string($0.streamType), isoTimestamp: .string($0.isoTimestamp)]
    }
    var found: [ItemKey: [ItemAttributes.Name: String]] = [:]
    while !rest.isEmpty {
      let answer = try await client.batchGetItem(table: name, keys: rest)
      note(answer.answer.date)
      for item in answer.items {
        guard case .string(let stream) = item[streamType], case .string(let time) = item[isoTimestamp] else {
          continue
        }
        found[ItemKey(streamType: stream, isoTimestamp: time)] = DynamoTable.attributes(item)
      }
      guard answer.unprocessed.count < rest.count else {
        throw AWSError(
          "UnprocessedKeys", .throttled, operation: "BatchGetItem", message: "the table read none of the keys"
        )
      }
      rest = answer.unprocessed
    }
    return found
  }

  /// Those of the right type.
  private static func attributes(_ item: DynamoItem) -> [ItemAttributes.Name: String] {
    var attributes: [ItemAttributes.Name: String] = [:]
    for name in ItemAttributes.Name.allCases {
      switch item[name.text] {
      case .string(let text) where !name.isNumber: attributes[name] = text
      case .number(let digits) where name.isNumber: attributes[name] = digits
      default: break
      }
    }
    return attributes
  }
}
