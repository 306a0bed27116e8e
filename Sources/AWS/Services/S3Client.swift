/// Amazon S3, as far as it is needed here.
///
/// Every call throws `AWSError`, or `CancellationError`. Without `retry` it is tried once.
///
/// Reference: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
public struct S3Client: Sendable {
  private let client: AWSClient

  public init(_ client: AWSClient) {
    self.client = client
  }

  /// Stores an object; it is durable when this returns.
  ///
  /// `headers` are signed and sent as they are: `Content-Type`, `Content-Encoding`, `If-None-Match`,
  /// `x-amz-meta-…`, `x-amz-checksum-sha256` (base64), `x-amz-server-side-encryption`. The body's SHA-256 is
  /// always signed. A failed `If-None-Match` throws with status 412, a conflict with 409 (retriable).
  public func putObject(
    bucket: String, key: String, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8], retry: Retry = .never
  ) async throws -> S3Object {
    fatalError("to come")
  }

  /// What is stored under the key, without its content; nil when there is none (404), which a missing bucket
  /// looks like, too.
  public func headObject(bucket: String, key: String, retry: Retry = .never) async throws -> S3Object? {
    fatalError("to come")
  }

  /// The object with its content; nil when there is none. A longer body than `maximumBytes` is an error.
  public func getObject(
    bucket: String, key: String, maximumBytes: Int = 1 << 20, retry: Retry = .never
  ) async throws -> (object: S3Object, body: [UInt8])? {
    fatalError("to come")
  }
}

/// An object's headers.
public struct S3Object: Sendable, Equatable {
  public var etag: String?
  public var versionID: String?
  /// Bytes, as stored.
  public var contentLength: Int?
  public var contentType: String?
  public var contentEncoding: String?
  /// `x-amz-meta-…`, names in lower case, without that prefix.
  public var metadata: [String: String]
  public var answer: Answer
}
