import AWS
import Base
import WAL

/// A place for objects whose whole content can be looked at.
protocol ObjectArchive: ObjectStore {
  /// The hash of the text in an object, as it can be read now; `nil` if nothing is there.
  func content(_ key: String) async throws -> ObjectContent?
}

extension ObjectArchive {
  /// Walks over the keys under a folder; an empty one is the whole place.
  func listing(under folder: String) -> any ObjectListing {
    listing(prefix: folder.isEmpty ? "" : folder + "/", after: nil)
  }
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
  func content(_ key: String) async throws -> ObjectContent? {
    try await client.getObject(bucket: bucket, key: key, maximumBytes: Self.largestObject)
      .map { ObjectContent($0.body, key: key) }
  }

  /// A batch has at most 64 MiB of text, or a single row; text that does not compress grows a little.
  private static let largestObject = 160 << 20
}

extension LocalObjectStore: ObjectArchive {
  func content(_ key: String) throws -> ObjectContent? {
    try readNote(key).map { ObjectContent($0, key: key) }
  }
}
