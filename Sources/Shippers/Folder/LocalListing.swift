import Base
import Glibc
import WAL

/// A walk over the files below a folder, which holds open one folder a level and no list of files.
actor LocalListing: ObjectListing {
  private let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let root: String
  /// The lowest folder that holds all of them.
  private let folder: String
  private let prefix: [UInt8]
  private let start: [UInt8]
  /// From the top to the one that is being read.
  private var open: [OpenFolder] = []
  private var isStarted = false
  /// The page in the making: it outlasts a failure.
  private var keys: [String] = []

  private static let pageKeys = 1_000

  /// - Parameters:
  ///   - prefix: what the keys begin with.
  ///   - start: keys that are not above it, byte by byte, are left out.
  init(root: String, prefix: String, after start: String? = nil, on executor: ThreadExecutor) {
    self.executor = executor
    self.root = root
    folder = prefix.lastIndex(of: "/").map { String(prefix[..<$0]) } ?? ""
    self.prefix = Array(prefix.utf8)
    self.start = Array((start ?? "").utf8)
  }

  func next() throws -> [String]? {
    if !isStarted {
      try enter(folder)
      isStarted = true
    }
    guard !open.isEmpty else { return nil }
    while keys.count < Self.pageKeys, let current = open.last {
      guard let name = try current.next() else {
        open.removeLast()
        continue
      }
      // What has no name yet is in folders that begin with a dot.
      guard !name.hasPrefix(".") else { continue }
      let key = current.key.isEmpty ? name : "\(current.key)/\(name)"
      if try isFolder(key) {
        if mayHold(key) { try enter(key) }
      } else if key.utf8.starts(with: prefix), start.lexicographicallyPrecedes(key.utf8) {
        keys.append(key)
      }
    }
    defer { keys.removeAll() }
    return keys
  }

  /// Whether a folder may hold keys that are asked for.
  private func mayHold(_ key: String) -> Bool {
    let beginning = Array(key.utf8) + [UInt8(ascii: "/")]
    return (beginning.starts(with: prefix) || prefix.starts(with: beginning))
      && (start.starts(with: beginning) || start.lexicographicallyPrecedes(beginning))
  }

  private func enter(_ key: String) throws {
    let path = key.isEmpty ? root : "\(root)/\(key)"
    // A folder that is not there has no files, be it that nothing was shipped yet.
    if let folder = try OpenFolder(path: path, key: key) { open.append(folder) }
  }

  private func isFolder(_ key: String) throws -> Bool {
    var info = stat()
    guard lstat("\(root)/\(key)", &info) == 0 else {
      if errno == ENOENT { return false }
      throw SystemError.last("looking at", "\(root)/\(key)")
    }
    return info.st_mode & S_IFMT == S_IFDIR
  }
}

/// A folder that is being read, closed when it goes away.
private final class OpenFolder {
  let key: String
  private let path: String
  private let handle: OpaquePointer

  /// `nil` if there is no such folder.
  init?(path: String, key: String) throws {
    guard let handle = opendir(path) else {
      if errno == ENOENT { return nil }
      throw SystemError.last("opening the folder", path)
    }
    self.handle = handle
    self.path = path
    self.key = key
  }

  deinit { closedir(handle) }

  func next() throws -> String? {
    errno = 0
    guard let entry = readdir(handle) else {
      guard errno == 0 else { throw SystemError.last("reading the folder", path) }
      return nil
    }
    return withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: Int(entry.pointee.d_reclen)) { String(cString: $0) }
    }
  }
}
