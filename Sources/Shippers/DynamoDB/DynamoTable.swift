import AWS
import Base

/// Items in a DynamoDB table.
final class DynamoTable: ItemTable {
  let client: DynamoDBClient
  let name: String
  let writeMode: ItemSettings.WriteMode
  private let encoder: UpdateItemEncoder
  let putEncoder: PutItemEncoder
  let clock: TableClock
  /// This machine's time, microseconds since 1970, UTC.
  private let wall: @Sendable () -> Int64

  init(
    client: DynamoDBClient, name: String, writeMode: ItemSettings.WriteMode = .update,
    clock: TableClock = TableClock(), wall: @escaping @Sendable () -> Int64 = WallClock.now
  ) {
    self.client = client
    self.name = name
    self.writeMode = writeMode
    self.clock = clock
    self.wall = wall
    encoder = UpdateItemEncoder(table: name)
    putEncoder = PutItemEncoder(table: name)
  }

  func askDate() async throws -> Int64? {
    do {
      return try await client.describeTable(name).answer.date.map(Int64.init)
    } catch let error as AWSError where error.isFromService || error.kind == .permanent {
      // A refusal tells the time as well, and the right to describe tables may be missing.
      if let date = error.date { return Int64(date) }
      // Asked again it would say the same.
      guard error.kind != .transient, error.kind != .throttled else { throw error }
      return nil
    }
  }

  func request(_ attributes: ItemAttributes) -> [UInt8] { encoder.encode(attributes) }
  func flaw(_ attributes: ItemAttributes) -> String? { DynamoLimits.flaw(attributes) }

  /// - Parameter body: of an UpdateItem.
  func write(_ body: [UInt8]) async throws -> ItemRefusal? {
    do {
      note(try await client.updateItem(body: body, table: name).date)
      return nil
    } catch let error as AWSError where DynamoTable.blamesTheItem(error) {
      return refusal(error)
    }
  }

  func submit(
    _ body: [UInt8], isPatient: Bool,
    _ completion: @escaping @Sendable (Result<ItemRefusal?, any Error>) -> Wake?
  ) -> CallOff? {
    client.submitUpdateItem(body: body, table: name, isPatient: isPatient) { [self] result in
      switch result {
      case .success(let answer):
        note(answer.date)
        return completion(.success(nil))
      case .failure(let error as AWSError) where DynamoTable.blamesTheItem(error):
        return completion(.success(refusal(error)))
      case .failure(let error): return completion(.failure(error))
      }
    }
  }

  private func refusal(_ error: AWSError) -> ItemRefusal {
    note(error.date)
    return ItemRefusal(cause: "\(error)", blame: RefusalWords.blame(error.message))
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
    try await TableLook(client: client, name: name, writeMode: writeMode).findings()
  }

  func note(_ date: Int?) { clock.heard(date, own: wall() / 1_000_000) }

  /// A 413 must be the service's own: a request above 16 MB gets it; a proxy's page says nothing of the item.
  ///
  /// Reference: Amazon DynamoDB Developer Guide, "Error handling".
  static func blamesTheItem(_ error: AWSError) -> Bool {
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
