import Base
import Glibc

/// Files under one folder, written so that they are on the disk, whole, under their names, or not at all.
struct LocalFolder: Sendable {
  let root: String

  func path(_ key: String) -> String { root + "/" + key }

  /// Makes the folder of a key, each level synced in the one above it.
  func makeParents(of key: String) throws {
    var made = root
    try LocalFolder.makeFolder(made)
    for component in key.split(separator: "/").dropLast() {
      made += "/" + component
      try LocalFolder.makeFolder(made)
    }
  }

  static func makeFolder(_ path: String) throws {
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
      throw SystemError.last("making the folder", path)
    }
    // Also where it was there: an earlier process may have ended before this.
    try Folder.sync(Folder.parent(of: path))
  }

  /// The folder of files that do not have their name yet: below the root, so that naming is a link.
  private var unnamed: String { root + "/.tmp" }

  /// Makes the folder if it is new, and removes what processes that are gone had not named yet.
  func prepare() throws {
    try LocalFolder.makeFolder(root)
    try LocalFolder.makeFolder(unnamed)
    guard let folder = opendir(unnamed) else { throw SystemError.last("opening the folder", unnamed) }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: Int(entry.pointee.d_reclen)) { String(cString: $0) }
      }
      guard let pid = name.split(separator: "-").first.flatMap({ pid_t($0) }) else { continue }
      // In a container a process may have the pid of the one before it.
      if pid == getpid() || (kill(pid, 0) != 0 && errno == ESRCH) { try remove(unnamed + "/" + name) }
    }
  }

  /// Writes and syncs a file under a temporary name; the folder has been prepared.
  func writeTemporary(_ key: String, _ body: [UInt8]) throws -> String {
    let path = unnamed + "/\(getpid())-\(key.split(separator: "/").last ?? "").part"
    // Never written into: what a failed try left may have its name by now.
    guard unlink(path) == 0 || errno == ENOENT else { throw SystemError.last("removing", path) }
    let file = try FileDescriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644, doing: "creating")
    try file.writeAll(body)
    try file.sync()
    try file.close()
    return path
  }

  /// Gives the temporary file its name, unless that is taken; durable when it returns.
  func publish(_ temporary: String, as key: String) throws -> Bool {
    KillPoint.file.before()
    let isLinked = link(temporary, path(key)) == 0
    let code = errno
    KillPoint.file.after()
    try remove(temporary)
    guard isLinked || code == EEXIST else {
      throw SystemError(doing: "naming", subject: path(key), code: code)
    }
    // Also where the name was there: an earlier try may have ended before this.
    try Folder.sync(Folder.parent(of: path(key)))
    return isLinked
  }

  /// Gives the temporary file its name in place of another; durable when it returns.
  func replace(_ temporary: String, as key: String) throws {
    guard rename(temporary, path(key)) == 0 else { throw SystemError.last("naming", path(key)) }
    try Folder.sync(Folder.parent(of: path(key)))
  }

  /// - Returns: `nil` if there is no such file.
  func read(_ key: String, limit: Int = .max) throws -> [UInt8]? {
    // An operator may have put a link to another disk there; what is no file would be read for ever.
    do throws(SystemError) {
      let file = try FileDescriptor(opening: path(key), O_RDONLY | O_NONBLOCK)
      guard try file.isRegular() else {
        throw SystemError(doing: "reading what is no regular file", subject: path(key), code: EINVAL)
      }
      return try file.readAll(limit: limit)
    } catch {
      guard error.code == ENOENT, error.doing == "opening" else { throw error }
      return nil
    }
  }

  private func remove(_ path: String) throws {
    guard unlink(path) == 0 else { throw SystemError.last("removing", path) }
  }
}
