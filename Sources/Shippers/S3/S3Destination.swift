import AWS
import Base
import WAL

extension ConsumerName {
  package static let s3 = ConsumerName(rawValue: "s3")
}

extension S3Settings: DestinationSettings {
  package static let name = "s3"
  package static let service = "S3"
  package static let check = "bucket"
  package static let consumers = (
    remote: ConsumerKind(name: .s3, shipsInBatches: true),
    local: ConsumerKind(name: .localS3, shipsInBatches: true)
  )
  package static let variableFamilies = ["S3_", "MAX_BATCH_"]
  package static let makesCopies = true

  package func check(copiesUnder folder: String) throws(BadSettings) {
    _ = try objects.forCopies(under: folder)
  }

  package var deliveries: Int { objects.concurrency }

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
      store: S3Store(client: S3Client(client), bucket: bucket, logger: client.logger)
    ) { address in
      guard let old = S3Address(json: address),
        let place = old.endpoint == endpoint ? client : clientAt(old.endpoint)
      else { return nil }
      return S3Store(client: S3Client(place), bucket: old.bucket, logger: place.logger)
    }
  }

  package func destination(inFolder folder: String, clock: ShippingClock) throws -> any Destination {
    try ObjectDestination.inFolder(folder, objects)
  }
}
