import Base
import WAL

/// A place for objects under keys: S3, or a folder.
///
/// Everything but cancellation that these calls throw is worth another try, later.
protocol ObjectStore: Sendable {
  /// The bucket, or the folder.
  var bucket: String { get }

  /// Stores a new object; durable when it returns.
  /// - Returns: `false` if something is stored under the key already.
  func put(_ object: NewObject) async throws -> Bool

  /// The hash noted with, or computed from, what is stored under the key.
  func stored(_ key: String) async throws -> StoredObject?

  /// The hash of the text in an object, as it can be read now; `nil` if nothing is there.
  func content(_ key: String) async throws -> ObjectContent?

  /// A small object that is replaced each time; ``NoteTooLarge`` if what is there is none.
  func readNote(_ key: String) async throws -> [UInt8]?
  func writeNote(_ key: String, _ body: [UInt8]) async throws

  /// Walks over the keys that begin with `prefix`, in no certain order.
  /// - Parameter start: keys that are not above it, byte by byte, are left out.
  func listing(prefix: String, after start: String?) -> any ObjectListing

  /// Looks for `doctor` whether objects can be read and stored.
  ///
  /// - Parameters:
  ///   - key: of a small object that is written if `writes`, as a note is.
  ///   - object: the same, as those of batches are; it may be there from an earlier look.
  /// - Throws: `CancellationError` alone.
  func look(key: String, object: NewObject, writes: Bool) async throws -> [DoctorFinding]
}

extension ObjectStore {
  /// Walks over the keys under a folder; an empty one is the whole place.
  func listing(under folder: String) -> any ObjectListing {
    listing(prefix: folder.isEmpty ? "" : folder + "/", after: nil)
  }
}

/// The error of an object that lies under a note's key and is larger than any note, so that it is not read.
struct NoteTooLarge: Error, CustomStringConvertible {
  /// A list of 102,400 streams, the most that there are, each of which left once in its year, is not as large.
  static let limit = 32 << 20

  var description: String { "larger than \(Figures.bytes(Self.limit))" }
}

/// An object on its way into a store.
struct NewObject: Sendable {
  let key: String
  let body: [UInt8]
  let isCompressed: Bool
  let logID: LogID
  let range: OffsetRange
  let rows: Int
  /// Of the uncompressed text, lower-case hex.
  let sha256: String

  init(_ batch: BuiltBatch, key: String, logID: LogID) {
    self.key = key
    body = batch.body
    isCompressed = batch.isCompressed
    self.logID = logID
    range = batch.range
    rows = batch.rows
    sha256 = batch.sha256
  }
}

/// An object as its store knows it without reading it.
struct StoredObject: Sendable, Equatable {
  /// Of the uncompressed text, lower-case hex; `nil` for an object that is none of ours.
  let sha256: String?
}
