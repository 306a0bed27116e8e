import AWS
import Base
import Logging
import WAL

/// Objects in an S3 bucket.
struct S3Store: ObjectStore {
  let client: S3Client
  let bucket: String
  private let uploads: S3Uploads

  init(client: S3Client, bucket: String, logger: Logger = Logger(label: "s3")) {
    self.client = client
    self.bucket = bucket
    uploads = S3Uploads(client: client, bucket: bucket, logger: logger)
  }

  func put(_ object: NewObject) async throws -> Bool {
    try await uploads.putNew(object.key, headers: Self.headers(of: object), object.body)
  }

  /// Those that every store takes.
  static func headers(of object: NewObject) -> HTTPHeaders {
    var headers: HTTPHeaders = [
      "Content-Type": "application/json",
      "x-amz-meta-log-id": object.logID.rawValue,
      "x-amz-meta-first-offset": object.range.lowerBound.description,
      "x-amz-meta-last-offset": object.range.upperBound.description,
      "x-amz-meta-rows": String(object.rows),
      "x-amz-meta-sha256": object.sha256,
    ]
    if object.isCompressed { headers.add("Content-Encoding", "gzip") }
    return headers
  }

  func stored(_ key: String) async throws -> StoredObject? {
    try await client.headObject(bucket: bucket, key: key).map { StoredObject(sha256: $0.metadata["sha256"]) }
  }

  func readNote(_ key: String) async throws -> [UInt8]? {
    do {
      do {
        return try await client.getObject(bucket: bucket, key: key)?.body
      } catch let error as AWSError where error.code == .answerTooLarge {
        // Most are small, and are not to be waited for as long as this one.
        return try await client.getObject(bucket: bucket, key: key, maximumBytes: NoteTooLarge.limit)?.body
      }
    } catch let error as AWSError where error.code == .answerTooLarge {
      throw NoteTooLarge()
    } catch let error as AWSError where error.code == "InvalidObjectState" {
      // A lifecycle rule has archived it, and it cannot be read for hours: as good as deleted.
      return nil
    }
  }

  func writeNote(_ key: String, _ body: [UInt8]) async throws {
    try await uploads.replace(key, headers: Self.noteHeaders, body)
  }

  static let noteHeaders: HTTPHeaders = ["Content-Type": "application/json"]

  func listing(prefix: String, after start: String?) -> any ObjectListing {
    S3Listing(client: client, bucket: bucket, prefix: prefix, after: start)
  }

  func look(key: String, object: NewObject, writes: Bool) async throws -> [DoctorFinding] {
    try await BucketLook(client: client, bucket: bucket, uploads: uploads, key: key, object: object)
      .findings(writes: writes)
  }

  func content(_ key: String) async throws -> ObjectContent? {
    try await client.getObject(bucket: bucket, key: key, maximumBytes: Self.largestObject)
      .map { ObjectContent($0.body, key: key) }
  }

  /// A batch has at most 64 MiB of text, or a single row; text that does not compress grows a little.
  private static let largestObject = 160 << 20
}
