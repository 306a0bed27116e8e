/// Amazon DynamoDB, as far as it is needed here.
///
/// Every call throws `AWSError`, or `CancellationError`. Without `retry` it is tried once.
///
/// Reference: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
public struct DynamoDBClient: Sendable {
  private let client: AWSClient

  public init(_ client: AWSClient) {
    self.client = client
  }

  /// Writes one item; it is durable when this returns. `body` is the request's JSON, ready made.
  public func updateItem(body: [UInt8], retry: Retry = .never) async throws -> Answer {
    fatalError("to come")
  }

  /// The table's keys and state. A missing table throws `AWSError.Code.resourceNotFound`.
  public func describeTable(_ name: String, retry: Retry = .never) async throws -> TableDescription {
    fatalError("to come")
  }
}

/// What DescribeTable tells about a table.
public struct TableDescription: Sendable, Equatable {
  public struct Key: Sendable, Equatable {
    public enum Role: String, Sendable {
      case hash = "HASH"
      case range = "RANGE"
    }
    public var name: String
    public var role: Role
    /// `S`, `N` or `B`.
    public var type: String
  }

  public var name: String
  /// `ACTIVE`, `CREATING`, …
  public var status: String
  /// Partition key first.
  public var keys: [Key]
  public var answer: Answer
}
