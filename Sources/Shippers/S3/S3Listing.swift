import AWS

/// A walk by ListObjectsV2, in the order of the keys' bytes.
actor S3Listing: ObjectListing {
  private let client: S3Client
  private let bucket: String
  private let prefix: String
  private let start: String?
  private var token: String?
  private var isAtEnd = false

  init(client: S3Client, bucket: String, prefix: String, after start: String?) {
    self.client = client
    self.bucket = bucket
    self.prefix = prefix
    self.start = start
  }

  func next() async throws -> [String]? {
    if isAtEnd { return nil }
    let page = try await client.listObjects(bucket: bucket, prefix: prefix, after: start, from: token)
    token = page.next
    isAtEnd = page.next == nil
    return page.keys
  }
}
