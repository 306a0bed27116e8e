import AWS
import Base
import WAL

extension ConsumerName {
  package static let s3 = ConsumerName(rawValue: "s3")
}

extension S3Settings: DestinationSettings {
  package static let name = "s3"
  package static let consumers = (
    remote: ConsumerKind(name: .s3, shipsInBatches: true),
    local: ConsumerKind(name: .localS3, shipsInBatches: true)
  )
  package static let variableFamilies = ["S3_", "MAX_BATCH_"]
  package static let makesCopies = true

  package func destination(_ access: any AWSAccess) async throws -> any Destination {
    S3Settings.destination(
      try await access.client(), bucket: bucket, objects, clientAt: access.client(s3Endpoint:))
  }

  /// - Parameter clientAt: a client for another S3 endpoint, where an earlier start delivered to.
  static func destination(
    _ client: AWSClient, bucket: String, _ settings: ObjectSettings,
    clientAt: @escaping @Sendable (_ s3Endpoint: String) -> AWSClient?
  ) -> ObjectDestination {
    let endpoint = client.endpoints.endpoint(.s3, region: client.region).description
    return ObjectDestination(
      .s3, settings, S3Address(endpoint: endpoint, bucket: bucket, prefix: settings.folder),
      store: S3Store(client: S3Client(client), bucket: bucket)
    ) { address in
      guard let old = S3Address(json: address),
        let place = old.endpoint == endpoint ? client : clientAt(old.endpoint)
      else { return nil }
      return S3Store(client: S3Client(place), bucket: old.bucket)
    }
  }

  package func destination(inFolder folder: String, clock: ShippingClock) throws -> any Destination {
    try ObjectDestination.inFolder(folder, objects)
  }

  package func look(_ client: AWSClient, writes: Bool) async throws -> [DoctorFinding] {
    guard isEnabled else { return [.skipped("bucket", "S3_WRITE is 0")] }
    let bucket = bucket
    let folder = objects.folder.isEmpty ? "" : objects.folder + "/"
    let key = "\(folder)_logs/doctor.json"
    let s3 = S3Client(client)
    let reading = try await DoctorFinding.of("bucket") {
      // Without the right to list, S3 calls an object that is not there forbidden.
      try await s3.headBucket(bucket, retry: DoctorFinding.retry)
      _ = try await s3.getObject(bucket: bucket, key: key, retry: DoctorFinding.retry)
      return .ok("bucket", "\(bucket) is reachable and readable")
    }
    guard reading.verdict != .failed else { return [reading] }
    guard writes else {
      return [reading, .skipped("bucket-write", "not tried: --write puts \(key) there")]
    }
    let body = Array("{}".utf8)
    let writing = try await DoctorFinding.of("bucket-write") {
      _ = try await s3.putObject(
        bucket: bucket, key: key,
        headers: ["Content-Type": "application/json", "x-amz-checksum-sha256": SHA256.hash(body).base64],
        body: body, retry: DoctorFinding.retry)
      return .ok("bucket-write", "\(bucket) takes objects; \(key) may be deleted")
    }
    return [reading, writing]
  }
}
