import AWS
import WAL

/// A place for objects whose whole content can be looked at.
protocol ObjectArchive: ObjectStore {
  /// Walks over the keys under a folder; an empty one is the whole place.
  func listing(under folder: String) -> any ObjectListing

  /// The hash of the text in an object, as it can be read now; `nil` if nothing is there.
  func content(_ key: String) async throws -> ObjectContent?
}

/// A walk over keys, in no certain order.
protocol ObjectListing: Sendable {
  /// A page of keys, perhaps empty; `nil` at the end. After a failure the same page can be asked for again.
  func next() async throws -> [String]?
}

struct ObjectContent: Sendable, Equatable {
  /// Of the uncompressed text, lower-case hex; `nil` for a gzip stream that cannot be read to its end.
  let sha256: String?

  /// - Parameter body: as it is stored.
  init(_ body: [UInt8], key: String) {
    sha256 = key.hasSuffix(ObjectKey.gzipSuffix) ? Gunzip.sha256(body) : SHA256.hash(body).hex
  }
}

extension S3Store: ObjectArchive {
  func listing(under folder: String) -> any ObjectListing {
    S3Listing(client: client, bucket: bucket, prefix: folder.isEmpty ? "" : folder + "/")
  }

  func content(_ key: String) async throws -> ObjectContent? {
    try await client.getObject(bucket: bucket, key: key, maximumBytes: Self.largestObject)
      .map { ObjectContent($0.body, key: key) }
  }

  /// A batch has at most 64 MiB of text, or a single row; text that does not compress grows a little.
  private static let largestObject = 160 << 20
}

/// A walk by ListObjectsV2.
actor S3Listing: ObjectListing {
  private let client: S3Client
  private let bucket: String
  private let prefix: String
  private var token: String?
  private var isAtEnd = false

  init(client: S3Client, bucket: String, prefix: String) {
    self.client = client
    self.bucket = bucket
    self.prefix = prefix
  }

  func next() async throws -> [String]? {
    if isAtEnd { return nil }
    let page = try await client.listObjects(bucket: bucket, prefix: prefix, from: token)
    token = page.next
    isAtEnd = page.next == nil
    return page.keys
  }
}

extension LocalObjectStore: ObjectArchive {
  nonisolated func listing(under folder: String) -> any ObjectListing {
    LocalListing(root: bucket, folder: folder)
  }

  func content(_ key: String) throws -> ObjectContent? {
    try readNote(key).map { ObjectContent($0, key: key) }
  }
}
