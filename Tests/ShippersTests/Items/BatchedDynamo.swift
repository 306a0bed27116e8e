import AWS
import ShippingFixtures
import Testing
import WAL

@testable import Shippers

/// A small DynamoDB that a table writes batches to, and a test may answer for.
struct BatchedDynamo {
  /// Answers a request in place of the table; `nil` leaves it to the table.
  typealias Answerer = @Sendable (_ operation: Substring, _ items: [Item]) async throws -> HTTPResponse?

  let dynamo = SmallDynamo()
  let transport: ScriptedTransport
  let table: DynamoTable

  init(submits: Bool = true, _ answer: @escaping Answerer = { _, _ in nil }) throws {
    let dynamo = dynamo
    transport = ScriptedTransport(submits: submits) { request, _ in
      let operation = BatchedDynamo.operation(request)
      let items = try BatchedDynamo.items(request)
      if let answer = try await answer(operation, items) { return answer }
      return try dynamo.answer(request)
    }
    table = DynamoTable(
      client: DynamoDBClient(try transport.client()), name: "t", writeMode: .batch,
      clock: TableClock { .zero }
    ) { someTime }
  }

  static func operation(_ request: HTTPRequest) -> Substring {
    request.headers["X-Amz-Target"]?.split(separator: ".").last ?? ""
  }

  static func items(_ request: HTTPRequest) throws -> [Item] {
    switch operation(request) {
    case "BatchWriteItem": try Item.puts(request.body)
    case "UpdateItem": [try Item(request.body)]
    default: []
    }
  }

  /// The numbers of the ticks in each request of an operation.
  func sent(_ operation: String = "BatchWriteItem") throws -> [[Int64]] {
    try transport.requests.filter { Self.operation($0) == operation }.map { request in
      try Self.items(request).map { try #require(ModelTick.number(of: $0)) }
    }
  }

  var numbers: Set<Int64> { Set(dynamo.written.values.compactMap(ModelTick.number)) }

  /// An answer that leaves some items undone, named by their keys.
  static func unprocessed(_ items: some Collection<Item>) -> HTTPResponse {
    let requests = items.map { item in
      let key = item.key.split(separator: " ")
      return """
        {"PutRequest":{"Item":{"stream_type":{"S":"\(key[0])"},"iso_timestamp":{"S":"\(key[1])"},"ttl_days":{"N":"1"}}}}
        """
    }
    return .answer(200, [:], #"{"UnprocessedItems":{"t":[\#(requests.joined(separator: ","))]}}"#)
  }
}
