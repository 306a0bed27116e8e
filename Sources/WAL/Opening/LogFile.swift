import Base
import Glibc

/// The log's file and its `-wal`, looked at and mended before SQLite opens them.
package enum LogFile {
  enum Kind: Equatable {
    case absent
    case log
  }

  /// Says what lies at the path, by the header of the file.
  ///
  /// - Throws: `unusablePath`, `notALog` or `newerSchema`.
  ///
  /// Reference: https://www.sqlite.org/fileformat.html#the_database_header
  static func inspect(_ path: String) throws(LogError) -> Kind {
    var info = stat()
    guard stat(path, &info) == 0 else {
      guard errno == ENOENT else { throw LogError.unusable(path, errno) }
      if stat(path + "-wal", &info) == 0, info.st_size > 0 {
        throw LogError(
          .notALog,
          "there is no log at \(path), but its \(path)-wal is there and may hold ticks: "
            + "put the log's file back beside it, or move the -wal away")
      }
      return .absent
    }
    guard info.st_mode & S_IFMT == S_IFREG else {
      throw LogError.notRegular(path)
    }
    try checkHeader(of: path, O_RDWR)
    return .log
  }

  /// Refuses a file that is no log, by its header: in the same words for whoever writes and whoever only reads.
  ///
  /// Must not be called while this process has the file open.
  ///
  /// - Throws: `unusablePath`, `notALog` or `newerSchema`.
  static func checkHeader(of path: String, _ access: Int32 = O_RDONLY) throws(LogError) {
    let header = try readHeader(path, access)
    let isWhole = header.count == headerLength
    let isOurs = isWhole && bigEndian(header, at: 68) == Schema.applicationID
    guard isOurs || isWhole && header.starts(with: magic) else {
      throw LogError(
        .notALog,
        header.isEmpty
          ? "\(path) is not a log: it is empty; remove it to start a new log"
          : "\(path) is not a log: it is no SQLite file; name another WAL_PATH")
    }
    guard isOurs else {
      throw LogError(.notALog, "\(path) is not a log: it belongs to another program; name another WAL_PATH")
    }
    // A version that stands in a damaged header says nothing.
    if header.starts(with: magic) { try checkVersion(bigEndian(header, at: 60), of: path) }
    guard header.starts(with: magic), isSound(header) else {
      throw LogError(.notALog, "\(path) is damaged: its header is not a log's; \(LogError.salvageAdvice)")
    }
  }

  /// Whether what is the same in the header of every log is as it must be; not all of it is looked at by SQLite.
  private static func isSound(_ header: [UInt8]) -> Bool {
    // The size of a page, versions that read and write, nothing reserved, shares of a page.
    Array(header[16..<18]) == [16, 0] && (1...2).contains(header[18]) && (1...2).contains(header[19])
      && Array(header[20..<24]) == [0, 64, 32, 32]
      // The schema's format, UTF-8.
      && bigEndian(header, at: 44) == 4 && bigEndian(header, at: 56) == 1
  }

  /// The damage to the header of a file that ought to be a log's; `nil` if there is none. Must not be called while
  /// this process has the file open.
  package static func headerDamage(of path: String) throws(LogError) -> String? {
    guard let file = try RawFile(path) else { return nil }
    defer { file.close() }
    let header = try file.read(at: 0, count: headerLength)
    return header.count == headerLength && header.starts(with: magic) && isSound(header)
      ? nil : "the file's header is damaged"
  }

  /// Whether SQLite's WAL has anything in it.
  package static func hasWAL(_ path: String) -> Bool {
    var info = stat()
    return stat(path + "-wal", &info) == 0 && info.st_size > 0
  }

  /// The time at which the file was changed last, in nanoseconds since 1970; 0 if that cannot be told.
  package static func changedAt(_ path: String) -> Int64 {
    var info = stat()
    guard stat(path, &info) == 0 else { return 0 }
    return Int64(info.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(info.st_mtim.tv_nsec)
  }

  /// Refuses what lies under names beside the log and is not what this program would put there.
  ///
  /// - Throws: `unusablePath`.
  package static func checkNeighbours(of path: String) throws(LogError) {
    for suffix in [".lock", "-wal", "-shm", "-journal", ".ballast", ".new"] {
      if let refusal = OwnFile.objection(to: path + suffix) { throw LogError.refused(refusal) }
    }
    if let refusal = OwnFile.objection(to: path + ".sock", .socket) { throw LogError.refused(refusal) }
  }

  /// The same of what SQLite opens beside the log, for whoever only reads.
  static func checkSides(of path: String) throws(LogError) {
    for suffix in ["-wal", "-shm", "-journal"] {
      if let refusal = OwnFile.objection(to: path + suffix, byAnybody: true) {
        throw LogError.refused(refusal)
      }
    }
  }

  /// Whether the log lies where nothing can be written by anybody.
  static func isOnReadOnlyVolume(_ path: String) -> Bool {
    access(Folder.parent(of: path), W_OK) != 0 && errno == EROFS
  }

  /// The copies that were saved when the log's files were taken away beneath a process, by name.
  static func saved(of path: String) -> [String] {
    let folder = Folder.parent(of: path)
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    let prefix = (path.split(separator: "/").last.map(String.init) ?? path) + LogRescue.infix
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasPrefix(prefix), name.dropFirst(prefix.count).allSatisfy(\.isNumber) {
        names.append(folder + "/" + name)
      }
    }
    return names.sorted()
  }

  /// The file that a symbolic link stands for; the path itself if it is none or leads nowhere.
  package static func resolve(_ path: String) -> String {
    var info = stat()
    guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFLNK, let resolved = realpath(path, nil) else {
      return path
    }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  static func checkVersion(of connection: SQLiteConnection, path: String) throws {
    try checkVersion(Int32(connection.int("PRAGMA user_version") ?? 0), of: path)
  }

  static func checkVersion(_ version: Int32, of path: String) throws(LogError) {
    guard version <= Schema.version else {
      throw LogError(
        .newerSchema,
        "\(path) was written by a newer tickwal (schema \(version), this one knows \(Schema.version)): "
          + "use that version")
    }
  }

  /// Writes SQLite's WAL again, byte for byte, and syncs it and its folder.
  ///
  /// After a failed fsync the page cache may show bytes that the disk does not have, and later fsyncs do not
  /// write them again. Whatever SQLite is going to read from the WAL is on the disk after this.
  static func rewriteWAL(of path: String) throws(LogError) {
    let walPath = path + "-wal"
    let descriptor: Int32
    do throws(OwnFile.Refusal) {
      descriptor = try OwnFile.open(walPath, O_RDWR)
    } catch {
      if error.code == ENOENT { return }
      throw LogError.refused(error)
    }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var position = 0
    while true {
      let count = buffer.withUnsafeMutableBytes { FileBytes.read(descriptor, at: position, into: $0) }
      if count == 0 { break }
      guard count > 0 else { throw failed("reading", walPath) }
      let isWritten = buffer.withUnsafeBytes {
        FileBytes.write(UnsafeRawBufferPointer(rebasing: $0[..<count]), to: descriptor, at: position)
      }
      guard isWritten else { throw failed("rewriting", walPath) }
      position += count
    }
    guard fsync(descriptor) == 0 else { throw failed("syncing", walPath) }
    try syncFolder(of: path)
  }

  /// Makes a new, empty file with mode 0600, in place of what an interrupted attempt left.
  static func createEmpty(_ path: String) throws(LogError) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
      guard unlink(path + suffix) == 0 || errno == ENOENT else { throw LogError.unusable(path, errno) }
    }
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw LogError.unusable(path, errno) }
    close(descriptor)
  }

  /// Gives a finished new log its name; durable when it returns.
  package static func publish(_ temporary: String, as path: String) throws(LogError) {
    let descriptor = open(temporary, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { throw LogError.unusable(temporary, errno) }
    let isSynced = fsync(descriptor) == 0
    close(descriptor)
    guard isSynced else { throw failed("syncing", temporary) }
    guard rename(temporary, path) == 0 else { throw failed("naming", path) }
    try syncFolder(of: path)
  }

  static func syncFolder(of path: String) throws(LogError) {
    do throws(SystemError) {
      try Folder.sync(Folder.parent(of: path))
    } catch {
      guard error.doing == "syncing the folder" else { throw LogError.unusable(error.subject, error.code) }
      throw LogError(
        NoRoom.isMeant(by: error.code) ? .diskFull : .failed,
        "\(error.doing) \(error.subject) failed: \(NoRoom.text(error.code, at: error.subject))")
    }
  }

  private static func readHeader(_ path: String, _ access: Int32) throws(LogError) -> [UInt8] {
    let descriptor = open(path, access | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw LogError.unusable(path, errno) }
    defer { close(descriptor) }
    var header = [UInt8](repeating: 0, count: headerLength)
    let count = pread(descriptor, &header, headerLength, 0)
    guard count >= 0 else { throw failed("reading", path) }
    return Array(header[..<count])
  }

  private static func failed(_ doing: String, _ path: String) -> LogError {
    let code = errno
    return LogError(
      NoRoom.isMeant(by: code) ? .diskFull : .failed,
      "\(doing) \(path) failed: \(NoRoom.text(code, at: path))")
  }

  private static func bigEndian(_ bytes: [UInt8], at index: Int) -> Int32 {
    Int32(bitPattern: bytes[index..<index + 4].reduce(0) { $0 << 8 | UInt32($1) })
  }

  private static let headerLength = 100
  private static let magic = Array("SQLite format 3\0".utf8)
}
