import AWS
import Base

/// The look that `doctor` takes at the bucket.
struct BucketLook: Sendable {
  let client: S3Client
  let bucket: String
  /// The key of the small object that is put there if asked for.
  let key: String

  func findings(writes: Bool) async throws -> [DoctorFinding] {
    let reading = try await DoctorFinding.of("bucket") {
      // Without the right to list, S3 calls an object that is not there forbidden.
      try await client.headBucket(bucket, retry: DoctorFinding.retry)
      _ = try await client.getObject(bucket: bucket, key: key, retry: DoctorFinding.retry)
      return .ok("bucket", "\(bucket) is reachable and readable")
    }
    guard reading.verdict != .failed else { return [reading] }
    guard writes else {
      return [reading, .skipped("bucket-write", "not tried: --write puts \(key) there")]
    }
    let body = Array("{}".utf8)
    let writing = try await DoctorFinding.of("bucket-write") {
      _ = try await client.putObject(
        bucket: bucket, key: key,
        headers: ["Content-Type": "application/json", "x-amz-checksum-sha256": SHA256.hash(body).base64],
        body: body, retry: DoctorFinding.retry)
      return .ok("bucket-write", "\(bucket) takes objects; \(key) may be deleted")
    }
    return [reading, writing]
  }
}
