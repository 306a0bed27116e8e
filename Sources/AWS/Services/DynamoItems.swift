/// One attribute of an item, of the two types that are used here.
///
/// Reference: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
package enum AttributeValue: Sendable, Hashable {
  case string(String)
  /// Its digits, as DynamoDB gives them: without zeros at the end.
  case number(String)
  /// Of another type.
  case other
}

extension AttributeValue: Codable {
  /// As the answers' keys are read: with a small letter first.
  private struct Received: Decodable {
    var s: String?
    var n: String?
  }

  package init(from decoder: any Decoder) throws {
    let received = try Received(from: decoder)
    self = received.s.map { .string($0) } ?? received.n.map { .number($0) } ?? .other
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .string(let text): try container.encode(["S": text])
    case .number(let digits): try container.encode(["N": digits])
    case .other: try container.encode(["NULL": true])
    }
  }
}

/// An item, or the key of one, by the names of its attributes.
package typealias DynamoItem = [String: AttributeValue]

/// One answer to BatchGetItem.
package struct FoundItems: Sendable, Equatable {
  package var items: [DynamoItem]
  /// Keys that the table did not get to; ask again.
  package var unprocessed: [DynamoItem]
  package var answer: Answer

  package init(items: [DynamoItem], unprocessed: [DynamoItem], answer: Answer = Answer(date: nil)) {
    self.items = items
    self.unprocessed = unprocessed
    self.answer = answer
  }
}

/// One answer to BatchWriteItem.
package struct WrittenItems: Sendable, Equatable {
  /// The items of the puts that the table did not get to, for want of capacity most often; send them again, later. What
  /// was no put is here without attributes.
  package var unprocessed: [DynamoItem]
  package var answer: Answer

  package init(unprocessed: [DynamoItem], answer: Answer = Answer(date: nil)) {
    self.unprocessed = unprocessed
    self.answer = answer
  }
}

/// The form of BatchWriteItem's answers.
enum BatchWriteItem {
  /// The answers where nothing is left, to the byte; others are read.
  static let nothingLeft = ["{\"UnprocessedItems\":{}}", "{}"].map { Array($0.utf8) }

  struct Output: Decodable {
    struct Request: Decodable {
      struct Put: Decodable {
        var item: DynamoItem
      }
      var putRequest: Put?
    }
    var unprocessedItems: [String: [Request]]?
  }
}

/// The form of BatchGetItem's requests and answers.
enum BatchGetItem {
  struct Keys: Encodable {
    var keys: [DynamoItem]

    enum CodingKeys: String, CodingKey {
      case keys = "Keys"
      case consistentRead = "ConsistentRead"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(keys, forKey: .keys)
      try container.encode(true, forKey: .consistentRead)
    }
  }

  struct Input: Encodable {
    var requestItems: [String: Keys]

    enum CodingKeys: String, CodingKey {
      case requestItems = "RequestItems"
    }
  }

  struct Output: Decodable {
    struct Unprocessed: Decodable {
      var keys: [DynamoItem]
    }
    var responses: [String: [DynamoItem]]
    var unprocessedKeys: [String: Unprocessed]?
  }
}
