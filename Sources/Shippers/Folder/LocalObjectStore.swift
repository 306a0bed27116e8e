import Base
import Glibc
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
    executor = try ThreadExecutor(named: "local-objects")
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
    try content(key).map { StoredObject(sha256: $0.sha256) }
  }

  func content(_ key: String) throws -> ObjectContent? {
    try folder.read(key).map { ObjectContent($0, key: key) }
  }

  func readNote(_ key: String) throws -> [UInt8]? {
    do {
      return try folder.read(key, limit: NoteTooLarge.limit)
    } catch let error as SystemError where error.code == EFBIG && error.doing == "reading" {
      throw NoteTooLarge()
    }
  }

  func writeNote(_ key: String, _ body: [UInt8]) throws {
    try prepareOnce()
    try folder.makeParents(of: key)
    try noticingRemoval { try folder.replace(try folder.writeTemporary(key, body), as: key) }
  }

  func look(key: String, object: NewObject, writes: Bool) -> [DoctorFinding] {
    let found = FolderLook.finding("objects", bucket, isFolder: true)
    guard found.verdict != .failed else { return [found] }
    guard writes else {
      return [found, .skipped("objects-write", "not tried: --write puts \(object.key) and \(key) there")]
    }
    let writing = DoctorFinding.here("objects-write") {
      _ = try put(object)
      try writeNote(key, Array("{}".utf8))
      return .ok("objects-write", "\(bucket) takes objects; \(object.key) and \(key) may be deleted")
    }
    return [found, writing]
  }

  nonisolated func listing(prefix: String, after start: String?) -> any ObjectListing {
    LocalListing(root: bucket, prefix: prefix, after: start, on: executor)
  }
}
