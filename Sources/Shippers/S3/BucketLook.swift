import AWS
import Base

/// The look that `doctor` takes at the bucket.
struct BucketLook: Sendable {
  let client: S3Client
  let bucket: String
  let uploads: S3Uploads
  /// The key of the note that is put there if asked for.
  let key: String
  /// An object that is put there then, as `run` puts its own.
  let object: NewObject

  func findings(writes: Bool) async throws -> [DoctorFinding] {
    let reading = try await DoctorFinding.of("bucket") {
      // Without the right to list, S3 calls an object that is not there forbidden.
      let (region, answer) = try await client.headBucket(bucket, retry: DoctorFinding.retry)
      _ = try await client.getObject(bucket: bucket, key: key, retry: DoctorFinding.retry)
      let place = region.map { ", and lies in \($0)" } ?? ""
      return .ok("bucket", "\(bucket) is reachable and readable\(place)").heard(answer.date)
    }
    guard reading.verdict != .failed else { return [reading] }
    guard writes else {
      return [reading, .skipped("bucket-write", "not tried: --write puts \(object.key) and \(key) there")]
    }
    let writing = try await DoctorFinding.of("bucket-write") {
      // One that is there from an earlier look shows as much.
      _ = try await uploads.putNew(
        object.key, headers: S3Store.headers(of: object), object.body, retry: DoctorFinding.retry)
      // Twice, because it is replaced each time.
      for _ in 1...2 {
        try await uploads.replace(
          key, headers: S3Store.noteHeaders, Array("{}".utf8), retry: DoctorFinding.retry)
      }
      return written()
    }
    return [reading, writing]
  }

  private func written() -> DoctorFinding {
    let left = uploads.leftOut.map(\.rawValue).sorted()
    let summary = "\(bucket) takes objects; \(object.key) and \(key) may be deleted"
    guard !left.isEmpty else { return .ok("bucket-write", summary) }
    return .warning(
      "bucket-write", "\(summary); it refuses \(Text.alternatives(left).replacing(" or ", with: " and "))",
      "nothing: these headers are left out, as docs/aws.md says under Stores")
  }
}
