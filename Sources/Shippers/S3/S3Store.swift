import AWS
import Base
import WAL

/// Objects in an S3 bucket.
struct S3Store: ObjectStore {
  let client: S3Client
  let bucket: String

  func put(_ object: NewObject) async throws -> Bool {
    let digest = SHA256.hash(object.body)
    let headers = headers(of: object, digest)
    var conditional = headers
    conditional.add("If-None-Match", "*")
    do {
      _ = try await client.putObject(
        bucket: bucket, key: object.key, headers: conditional, body: object.body, bodyDigest: digest)
      return true
    } catch let error as AWSError where error.status == 412 {
      return false
    } catch let error as AWSError where error.status == 501 {
      // Some stores refuse conditional writes instead of ignoring the condition. The key is ours alone.
      guard try await stored(object.key) == nil else { return false }
      _ = try await client.putObject(
        bucket: bucket, key: object.key, headers: headers, body: object.body, bodyDigest: digest)
      return true
    }
  }

  /// - Parameter digest: of the body.
  private func headers(of object: NewObject, _ digest: Digest) -> HTTPHeaders {
    var headers: HTTPHeaders = [
      "Content-Type": "application/json",
      "x-amz-checksum-sha256": digest.base64,
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
      return try await client.getObject(bucket: bucket, key: key)?.body
    } catch let error as AWSError where error.code == "InvalidObjectState" {
      // A lifecycle rule has archived it, and it cannot be read for hours: as good as deleted.
      return nil
    }
  }

  func writeNote(_ key: String, _ body: [UInt8]) async throws {
    let digest = SHA256.hash(body)
    let headers: HTTPHeaders = [
      "Content-Type": "application/json", "x-amz-checksum-sha256": digest.base64,
    ]
    _ = try await client.putObject(
      bucket: bucket, key: key, headers: headers, body: body, bodyDigest: digest)
  }

  func listing(prefix: String, after start: String?) -> any ObjectListing {
    S3Listing(client: client, bucket: bucket, prefix: prefix, after: start)
  }

  func look(key: String, writes: Bool) async throws -> [DoctorFinding] {
    try await BucketLook(client: client, bucket: bucket, key: key).findings(writes: writes)
  }

  func content(_ key: String) async throws -> ObjectContent? {
    try await client.getObject(bucket: bucket, key: key, maximumBytes: Self.largestObject)
      .map { ObjectContent($0.body, key: key) }
  }

  /// A batch has at most 64 MiB of text, or a single row; text that does not compress grows a little.
  private static let largestObject = 160 << 20
}
