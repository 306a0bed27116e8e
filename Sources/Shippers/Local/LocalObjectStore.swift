import AWS
import Base
import CZlib
import WAL

/// Objects as files under a folder, with the keys they would have in S3.
actor LocalObjectStore: ObjectStore {
  nonisolated let bucket: String
  private let folder: LocalFolder
  private var isPrepared = false
  /// The folder of the last key: known to be there, and durable.
  private var madeFolder: String?
  private let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// - Parameter root: the folder above the keys, `DIR/objects`.
  init(root: String) throws {
    executor = try ThreadExecutor()
    bucket = root
    folder = LocalFolder(root: root)
  }

  func put(_ object: NewObject) throws -> Bool {
    try prepareOnce()
    try makeParents(of: object.key)
    return try noticingRemoval {
      try folder.publish(try folder.writeTemporary(object.key, object.body), as: object.key)
    }
  }

  /// Makes the folders anew before the next try: someone may have removed them.
  private func noticingRemoval<T>(_ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch {
      madeFolder = nil
      isPrepared = false
      throw error
    }
  }

  private func makeParents(of key: String) throws {
    let parent = key.lastIndex(of: "/").map { String(key[..<$0]) } ?? ""
    guard parent != madeFolder else { return }
    try folder.makeParents(of: key)
    madeFolder = parent
  }

  private func prepareOnce() throws {
    guard !isPrepared else { return }
    try folder.prepare()
    isPrepared = true
  }

  func stored(_ key: String) throws -> StoredObject? {
    guard let body = try folder.read(key) else { return nil }
    guard key.hasSuffix(".gz") else { return StoredObject(sha256: SHA256.hash(body).hex) }
    return StoredObject(sha256: Gunzip.sha256(body))
  }

  func readNote(_ key: String) throws -> [UInt8]? { try folder.read(key) }

  func writeNote(_ key: String, _ body: [UInt8]) throws {
    try prepareOnce()
    try folder.makeParents(of: key)
    try noticingRemoval { try folder.replace(try folder.writeTemporary(key, body), as: key) }
  }

  nonisolated func listing(prefix: String, after start: String?) -> any ObjectListing {
    LocalListing(root: bucket, prefix: prefix, after: start, on: executor)
  }
}

/// The hash of what a gzip stream holds, without holding it.
enum Gunzip {
  /// - Returns: lower-case hex; `nil` for what is not one whole gzip stream.
  static func sha256(_ compressed: [UInt8]) -> String? {
    var stream = z_stream()
    guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      return nil
    }
    defer { inflateEnd(&stream) }
    var hash = SHA256()
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    var input = compressed
    let code = input.withUnsafeMutableBufferPointer { input in
      stream.next_in = input.baseAddress
      stream.avail_in = uInt(input.count)
      var code = Z_OK
      while code == Z_OK {
        code = buffer.withUnsafeMutableBufferPointer { buffer in
          stream.next_out = buffer.baseAddress
          stream.avail_out = uInt(buffer.count)
          let code = inflate(&stream, Z_NO_FLUSH)
          hash.update(
            UnsafeRawBufferPointer(
              rebasing: UnsafeRawBufferPointer(buffer)[..<(buffer.count - Int(stream.avail_out))]))
          return code
        }
      }
      return code
    }
    return code == Z_STREAM_END && stream.avail_in == 0 ? hash.finish().hex : nil
  }
}
