import Base

/// Amazon DynamoDB, as far as it is needed here.
///
/// Every call throws `AWSError`, or `CancellationError`. Without `retry` it is tried once.
///
/// Reference: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
package struct DynamoDBClient: Sendable {
  package let region: String
  private let updateItem: JSONService
  private let describeTable: JSONService
  private let describeTimeToLive: JSONService
  private let batchGetItem: JSONService
  private let batchWriteItem: JSONService

  package init(_ client: AWSClient) {
    region = client.region
    let keys = SigningKeyCache(region: client.region, service: Service.dynamodb.rawValue)
    func service(_ operation: String, maximumResponseBytes: Int = 1 << 20) -> JSONService {
      JSONService(
        client, .dynamodb, operation: operation, target: "DynamoDB_20120810",
        contentType: "application/x-amz-json-1.0", signingKeys: keys,
        maximumResponseBytes: maximumResponseBytes)
    }
    updateItem = service("UpdateItem")
    describeTable = service("DescribeTable")
    describeTimeToLive = service("DescribeTimeToLive")
    // 16 MB of items at most, and as JSON several times that at worst.
    batchGetItem = service("BatchGetItem", maximumResponseBytes: 100 << 20)
    // It gives back what it has not written.
    batchWriteItem = service("BatchWriteItem", maximumResponseBytes: 100 << 20)
  }

  /// Writes one item; it is durable when this returns. `body` is the request's JSON, ready made, with the table that
  /// errors name.
  package func updateItem(
    body: [UInt8], table: String? = nil, retry: Retry = .never
  ) async throws -> Answer {
    try await updateItem.call(body, on: table.map(resource), retry: retry).answer
  }

  /// The same, tried once, without a task that waits for the answer.
  ///
  /// - Parameters:
  ///   - isPatient: as ``HTTPRequest/isPatient``.
  ///   - completion: called once, on a thread that many requests share; it must not block, and what it returns is
  ///     called when the other answers of that moment are given.
  /// - Returns: calls the attempt off; `nil` if nothing was sent and ``updateItem(body:table:retry:)`` must be used.
  package func submitUpdateItem(
    body: [UInt8], table: String? = nil, isPatient: Bool = false,
    _ completion: @escaping @Sendable (Result<Answer, any Error>) -> Wake?
  ) -> CallOff? {
    updateItem.submit(body, on: table.map(resource), isPatient: isPatient) {
      completion($0.map { $0.answer })
    }
  }

  /// Writes items over those of the same keys; what the answer does not call unprocessed is durable when this returns.
  ///
  /// - Parameters:
  ///   - body: the request's JSON, ready made: puts and deletes of one table.
  ///   - table: the one that errors name.
  ///
  /// Reference: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
  package func batchWriteItem(
    body: [UInt8], table: String, retry: Retry = .never
  ) async throws -> WrittenItems {
    try written(await batchWriteItem.call(body, on: resource(table), retry: retry), table)
  }

  /// The same, tried once, without a task that waits for the answer; as
  /// ``submitUpdateItem(body:table:isPatient:_:)``.
  package func submitBatchWriteItem(
    body: [UInt8], table: String, isPatient: Bool = false,
    _ completion: @escaping @Sendable (Result<WrittenItems, any Error>) -> Wake?
  ) -> CallOff? {
    batchWriteItem.submit(body, on: resource(table), isPatient: isPatient) { result in
      completion(result.flatMap { response in Result { try written(response, table) } })
    }
  }

  private func written(_ response: HTTPResponse, _ table: String) throws(AWSError) -> WrittenItems {
    // Nearly every answer is one of these, and there are thousands a second.
    if BatchWriteItem.nothingLeft.contains(response.body) {
      return WrittenItems(unprocessed: [], answer: response.answer)
    }
    let output: BatchWriteItem.Output = try batchWriteItem.read(response, on: resource(table))
    let unprocessed = output.unprocessedItems?.values.flatMap { $0 } ?? []
    if !unprocessed.isEmpty { batchWriteItem.partlyRefused(.throttled) }
    return WrittenItems(unprocessed: unprocessed.map { $0.putRequest?.item ?? [:] }, answer: response.answer)
  }

  /// Reads items as they are now, in no certain order; keys without an item are left out.
  ///
  /// - Parameter keys: at most 100, each once.
  ///
  /// Reference: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
  package func batchGetItem(
    table: String, keys: [DynamoItem], retry: Retry = .never
  ) async throws -> FoundItems {
    let (output, answer) = try await batchGetItem.call(
      BatchGetItem.Input(requestItems: [table: BatchGetItem.Keys(keys: keys)]), on: resource(table),
      retry: retry,
      as: BatchGetItem.Output.self)
    return FoundItems(
      items: output.responses.values.flatMap { $0 },
      unprocessed: output.unprocessedKeys?.values.flatMap(\.keys) ?? [], answer: answer)
  }

  /// The table's keys and state. A missing table throws `AWSError.Code.resourceNotFound`.
  package func describeTable(_ name: String, retry: Retry = .never) async throws -> TableDescription {
    let (output, answer) = try await describeTable.call(
      ["TableName": name], on: resource(name), retry: retry, as: Output.self)
    let types = Dictionary(
      output.table.attributeDefinitions.map { ($0.attributeName, $0.attributeType) }
    ) { first, _ in first }
    let keys = output.table.keySchema.map { key in
      TableDescription.Key(
        name: key.attributeName, role: key.keyType == "HASH" ? .hash : .range,
        type: types[key.attributeName] ?? "")
    }
    return TableDescription(
      name: output.table.tableName, status: output.table.tableStatus,
      keys: keys.filter { $0.role == .hash } + keys.filter { $0.role == .range }, answer: answer)
  }

  /// Whether and by which attribute the table's items expire.
  package func describeTimeToLive(_ name: String, retry: Retry = .never) async throws -> TimeToLive {
    let (output, _) = try await describeTimeToLive.call(
      ["TableName": name], on: resource(name), retry: retry, as: TimeToLiveOutput.self)
    let description = output.timeToLiveDescription
    return TimeToLive(status: description.timeToLiveStatus, attribute: description.attributeName)
  }

  private func resource(_ table: String) -> AWSResource { .table(table, region: region) }

  private struct TimeToLiveOutput: Decodable {
    struct Description: Decodable {
      var timeToLiveStatus: String
      var attributeName: String?
    }
    var timeToLiveDescription: Description
  }

  private struct Output: Decodable {
    struct Table: Decodable {
      struct Key: Decodable {
        var attributeName: String
        var keyType: String
      }
      struct Attribute: Decodable {
        var attributeName: String
        var attributeType: String
      }
      var tableName: String
      var tableStatus: String
      var keySchema: [Key]
      var attributeDefinitions: [Attribute]
    }
    var table: Table
  }
}

/// A table as DescribeTable tells it.
package struct TableDescription: Sendable, Equatable {
  package struct Key: Sendable, Equatable {
    package enum Role: String, Sendable {
      case hash = "HASH"
      case range = "RANGE"
    }
    package var name: String
    package var role: Role
    /// `S`, `N` or `B`.
    package var type: String

    package init(name: String, role: Role, type: String) {
      self.name = name
      self.role = role
      self.type = type
    }
  }

  package var name: String
  /// `ACTIVE`, `CREATING`, …
  package var status: String
  /// Partition key first.
  package var keys: [Key]
  package var answer: Answer

  package init(name: String, status: String, keys: [Key], answer: Answer) {
    self.name = name
    self.status = status
    self.keys = keys
    self.answer = answer
  }
}

/// The expiry of a table's items as DescribeTimeToLive tells it.
package struct TimeToLive: Sendable, Equatable {
  /// `ENABLED`, `DISABLED`, `ENABLING`, `DISABLING`.
  package var status: String
  /// nil while it is disabled.
  package var attribute: String?

  package init(status: String, attribute: String? = nil) {
    self.status = status
    self.attribute = attribute
  }
}
