import AWS
import Foundation
import ShippingFixtures
import Synchronization
import Testing

/// A small DynamoDB: items that were written, found by their keys.
final class SmallDynamo: Sendable {
  private let items = Mutex<[String: Item]>([:])

  var written: [String: Item] { items.withLock { $0 } }
  /// The keys of what is there.
  var keys: Set<String> { items.withLock { Set($0.keys) } }

  func clear() { items.withLock { $0 = [:] } }

  func answer(_ request: HTTPRequest) throws -> HTTPResponse {
    switch request.headers["X-Amz-Target"]?.split(separator: ".").last {
    case "BatchGetItem": return try read(request)
    case "BatchWriteItem": return try write(request)
    case "DescribeTable": return .answer(200, [:], Self.description)
    case "DescribeTimeToLive":
      return .answer(
        200, [:],
        #"{"TimeToLiveDescription":{"TimeToLiveStatus":"ENABLED","AttributeName":"ttl_days"}}"#)
    case _ where String(decoding: request.body, as: UTF8.self).contains("ConditionExpression"):
      return .dynamoError(400, "ConditionalCheckFailedException")
    default:
      let item = try Item(request.body)
      items.withLock { $0[item.key] = item }
      return .answer(200, [:], "{}")
    }
  }

  private static let description = """
    {"Table":{"TableName":"t","TableStatus":"ACTIVE",\
    "KeySchema":[{"AttributeName":"stream_type","KeyType":"HASH"},\
    {"AttributeName":"iso_timestamp","KeyType":"RANGE"}],\
    "AttributeDefinitions":[{"AttributeName":"stream_type","AttributeType":"S"},\
    {"AttributeName":"iso_timestamp","AttributeType":"S"}]}}
    """

  /// What the service refuses is refused, too.
  private func write(_ request: HTTPRequest) throws -> HTTPResponse {
    let puts = try Item.puts(request.body)
    guard puts.count <= 25, Set(puts.map(\.key)).count == puts.count else {
      return .dynamoError(400, "ValidationException", "Too many items requested, or duplicates of a key")
    }
    items.withLock { items in
      for item in puts { items[item.key] = item }
    }
    return .answer(200, [:], #"{"UnprocessedItems":{}}"#)
  }

  private func read(_ request: HTTPRequest) throws -> HTTPResponse {
    let body = try #require(try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any])
    let asked = try #require(body["RequestItems"] as? [String: [String: Any]])
    var found: [String: [[String: [String: String]]]] = [:]
    for (table, request) in asked {
      let keys = try #require(request["Keys"] as? [[String: [String: String]]])
      found[table] = try keys.compactMap { key in
        let stream = try #require(key["stream_type"]?["S"])
        let time = try #require(key["iso_timestamp"]?["S"])
        guard let item = items.withLock({ $0["\(stream) \(time)"] }) else { return nil }
        return item.attributes.reduce(into: key) {
          $0[$1.key] = [String($1.value.prefix(1)): String($1.value.dropFirst(2))]
        }
      }
    }
    let answer = try JSONSerialization.data(
      withJSONObject: ["Responses": found, "UnprocessedKeys": [String: String]()])
    return .answer(200, [:], String(decoding: answer, as: UTF8.self))
  }
}
