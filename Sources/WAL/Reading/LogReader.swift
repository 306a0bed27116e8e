import Base
import Glibc

/// A read-only connection to the log with a thread of its own. Works beside the writer, in this process
/// or another, and never checkpoints. A snapshot is held for one call and not longer.
package actor LogReader {
  private let executor: ThreadExecutor
  package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
  /// Its thread, for tasks that do little besides reading.
  package nonisolated var thread: ThreadExecutor.Tasks { executor.tasks }

  package let path: String
  private let isBesideWriter: Bool
  private let vfs: String?
  private let hasNoRoom: @Sendable (String) -> Bool
  private var connection: SQLiteConnection?
  /// The files as they were when they were opened without SQLite's shared memory; `nil` if they were opened with it.
  private var quiet: QuietFiles?

  /// - Parameters:
  ///   - isBesideWriter: this process writes the log as well.
  ///   - hasNoRoom: whether nothing can be made beside a log.
  /// - Throws: `LogError` with `unusablePath`, `notALog`, `newerSchema` or `failed`.
  package init(
    path: String, vfs: String? = nil, isBesideWriter: Bool = false,
    hasNoRoom: @escaping @Sendable (String) -> Bool = QuietFiles.hasNoRoom
  ) async throws {
    executor = try ThreadExecutor(named: "log-reader")
    self.path = LogFile.resolve(path)
    self.vfs = vfs
    self.isBesideWriter = isBesideWriter
    self.hasNoRoom = hasNoRoom
    try open()
  }

  private func open() throws {
    var info = stat()
    guard stat(path, &info) == 0 else {
      guard errno == ENOENT else { throw LogError.unusable(path, errno) }
      throw LogError(.unusablePath, "there is no log at \(path)")
    }
    guard info.st_mode & S_IFMT == S_IFREG else { throw LogError.notRegular(path) }
    try LogFile.checkSides(of: path)
    // A process that writes the log has made the shared memory already.
    if hasNoRoom(path), let files = QuietFiles(path) { return try openQuiet(files) }
    do {
      try open(.readOnly)
    } catch let error as LogError where error.code == .diskFull {
      // A quota, of which the volume says nothing.
      guard let files = QuietFiles(path) else { throw error }
      try openQuiet(files)
    } catch let error as LogError where error.code == .unusablePath && LogFile.isOnReadOnlyVolume(path) {
      // SQLite needs its shared memory beside a log, which cannot be made there.
      guard !LogFile.hasWAL(path) else {
        throw LogError(
          .unusablePath,
          "the log \(path) cannot be read where it is: its \(path)-wal has content, and the file system is "
            + "read-only; copy both to a folder that can be written, or mount it for writing")
      }
      try open(.immutable)
    }
  }

  /// Opens a log that no process writes, without making anything beside it.
  private func openQuiet(_ files: QuietFiles) throws {
    // Where there is no WAL, SQLite would make an empty one.
    try open(LogFile.hasWAL(path) ? .unshared : .immutable)
    quiet = files
  }

  private func open(_ access: SQLiteConnection.Access) throws {
    do {
      let connection = try SQLiteConnection(path: path, access: access, vfs: vfs)
      connection.setBusyTimeout(milliseconds: 5_000)
      try connection.setCheckpointOnClose(false)
      try connection.execute("PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0;")
      try connection.execute("PRAGMA cache_size = -2048")
      guard try connection.int("PRAGMA application_id") == Int64(Schema.applicationID) else {
        try connection.close()
        try checkHeader()
        throw LogError(.notALog, "\(path) is not a log: it belongs to another program; name another WAL_PATH")
      }
      try LogFile.checkVersion(of: connection, path: path)
      self.connection = connection
    } catch let error as LogError {
      throw error
    } catch let error as SQLiteError where error.isCorruption {
      try checkHeader()
      throw LogError.damaged(path, error)
    } catch let error as SQLiteError where error.isCannotOpen || error.isReadOnly {
      throw LogError(.unusablePath, "the log \(path) cannot be read: \(error)")
    } catch let error as SQLiteError {
      throw LogError("opening the log \(path) for reading", error)
    }
  }

  /// Says what `run` would say of the file, where it is none that can be read.
  private func checkHeader() throws(LogError) {
    // Closing another descriptor would drop the locks that SQLite has for this process.
    guard !isBesideWriter else { return }
    try LogFile.checkHeader(of: path)
  }

  package func close() throws {
    try connection?.close()
    connection = nil
  }

  // MARK: Snapshots

  /// Runs `body` on one snapshot of the log.
  ///
  /// - Throws: `inUse` if a process began to write a log that is read without SQLite's shared memory; the next call
  ///   reads it with.
  package func read<T>(_ body: (SQLiteConnection) throws -> T) throws -> T {
    guard let files = quiet else { return try readSnapshot(body) }
    guard QuietFiles(path) == files else {
      try close()
      quiet = nil
      try open()
      return try readSnapshot(body)
    }
    let result = Result { try readSnapshot(body) }
    // Also of an error: what looks damaged may be half written.
    guard QuietFiles(path) == files else { throw LogError.beganMeanwhile(path) }
    return try result.get()
  }

  private func readSnapshot<T>(_ body: (SQLiteConnection) throws -> T) throws -> T {
    guard let connection else { throw LogError(.closed, "the reader is closed") }
    do {
      try connection.run("BEGIN")
      let result = Result { try body(connection) }
      // Also ends a transaction that an error has left open.
      if connection.isInTransaction { try connection.run("ROLLBACK") }
      return try result.get()
    } catch let error as SQLiteError {
      throw LogError("reading the log \(path)", error)
    }
  }

  // MARK: Ticks

  /// Reads ticks from `first` on, up to `last` (the head if nil), at most so many and so many bytes, but at
  /// least one if there is one.
  ///
  /// - Throws: `LogError` with `notFound` if `first` is trimmed, and no open plan holds it.
  package func page(
    from first: Offset, through last: Offset? = nil, maximumTicks: Int, maximumBytes: Int = 1 << 20
  ) throws -> TickPage {
    try read { connection in
      let head = try connection.head()
      var page = TickPage(head: head)
      // Behind the last number of all there would be no next one, and no end of the page.
      let end = Offset(rawValue: .max).previous
      let available = min(last ?? head, head, try connection.lastUntrimmed(from: first) ?? head, end)
      guard first <= available, maximumTicks > 0 else { return page }
      let count = min(maximumTicks, (first...available).length)
      var reading = PageReading(
        expected: first, end: first.advanced(by: count - 1), maximumBytes: maximumBytes)
      do throws(SQLiteError) {
        if try reading.scan(connection, into: &page) { return page }
      } catch {
        guard error.isCorruption else { throw error }
      }
      try reading.probe(connection, into: &page)
      return page
    }
  }
}

extension LogError {
  fileprivate static func beganMeanwhile(_ path: String) -> LogError {
    let pid = LogLock.holder(of: path)
    return LogError(
      .inUse(pid: pid),
      "the log \(path) was read without a snapshot, for its volume has no room, and "
        + "\(pid.map { "process \($0)" } ?? "another process") began to write it: give the command again")
  }
}

extension SQLiteConnection {
  /// The end of the run of kept ticks that begins at an offset: `nil` for the log's own end.
  ///
  /// Ticks before the log start offset are there for open plans alone; a row that is missing beside them is no
  /// damage.
  fileprivate func lastUntrimmed(from first: Offset) throws -> Offset? {
    let trimmed = try trimmed()
    guard first <= trimmed else { return nil }
    guard let held = try lastHeld(with: first) else {
      throw LogError(
        .notFound,
        "offset \(Figures.grouped(first)) is trimmed: the oldest tick kept is \(Figures.grouped(try oldestOffset() ?? trimmed.next))"
      )
    }
    return held
  }
}
