import Base
import Glibc
import Logging

extension TickLog {
  /// Opens the log for writing, or makes a new one, as the only process that may.
  ///
  /// The order matters: the lock; a look at the file and its `-wal`; SQLite's WAL rewritten and synced; only then
  /// SQLite. A log of an older schema is brought to the present one, in one transaction, when nothing else speaks
  /// against it.
  ///
  /// - Throws: `LogError` with `inUse`, `unusablePath`, `notALog`, `newerSchema`, `diskFull` or `failed`.
  package static func open(
    path: String, options: Options = Options(), logger: Logger
  ) async throws -> TickLog {
    try await withCheckedThrowingContinuation { continuation in
      do throws(SystemError) {
        _ = try DedicatedThread(named: "log-opener") {
          continuation.resume(
            with: Result { try openBlocking(path: path, options: options, logger: logger) })
        }
      } catch {
        continuation.resume(throwing: LogError(.failed, "opening \(path): \(error)"))
      }
    }
  }

  private static func openBlocking(
    path: String, options: Options, logger: Logger
  ) throws -> TickLog {
    // One file, one lock, whatever symbolic link names it.
    let path = LogFile.resolve(path)
    try LogFile.checkNeighbours(of: path)
    let lock = try LogLock(logPath: path)
    do {
      try Ballast(logPath: path).releaseIfFull(options.volume(path))
    } catch {
      logger.warning(
        "the ballast beside the log cannot be changed; it is tried again", metadata: ["error": "\(error)"])
    }
    switch try LogFile.inspect(path) {
    case .absent: try create(path: path, options: options)
    case .log:
      if let objection = try WALWitness.objection(to: path) { throw LogError(.notALog, objection.text) }
      try LogFile.rewriteWAL(of: path)
    }
    let (hasWAL, changedAt) = (LogFile.hasWAL(path), LogFile.changedAt(path))
    KillPoint.open.before()
    do {
      let connection = try SQLiteConnection(path: path, access: .readWrite, vfs: options.vfs)
      // From the first statement on: after a crash a reader may be recovering the WAL at this very moment.
      connection.setBusyTimeout(milliseconds: WriterLoop.busyTimeoutMilliseconds)
      // A file that is refused stays as it is, and after a failed fsync nothing may be written again by
      // closing. A clean end checkpoints on its own.
      try connection.setCheckpointOnClose(false)
      // The header that was looked at may be older than the one in SQLite's WAL.
      try LogFile.checkVersion(of: connection, path: path)
      let note = try configured(connection, path: path, changedAt)
      try compare(note, with: lock.found?.note, path: path, hasWAL: hasWAL, logger)
      try Migration.run(on: connection, path: path, logger: logger)
      if let before = lock.found, before.note.logID != note.logID {
        try succeed(before, on: connection, path: path, logger)
      }
      KillPoint.open.after()
      let writer = try LogWriter(
        connection: connection, path: path, from: note, lock: lock, options: options, logger: logger)
      return TickLog(path: path, options: options, writer: writer, lock: lock)
    } catch let error as LogError {
      throw error
    } catch let error as SQLiteError {
      if error.isCorruption { throw LogError.damaged(path, error) }
      if error.isBusy {
        throw LogError(
          .inUse(pid: nil), "the log \(path) is locked by another program: close shells that write to it")
      }
      if error.isCannotOpen, Volume.lacksInodes(path) { throw LogError.unusable(path, ENOSPC) }
      if error.isCannotOpen {
        throw LogError(.unusablePath, "the log \(path) cannot be used: \(error)\(LogError.advice)")
      }
      throw LogError("opening the log \(path)", error)
    }
  }

  /// - Throws: `notALog` if commits are missing that were there.
  private static func compare(
    _ note: HeadHint, with before: HeadHint?, path: String, hasWAL: Bool, _ logger: Logger
  ) throws(LogError) {
    guard let before, let objection = before.objection(to: note, hasWAL: hasWAL) else { return }
    switch objection {
    case .missingWAL: throw LogError(.notALog, before.missingWAL(of: path, endingAt: note.head))
    case .olderCopy:
      logger.warning(
        """
        the log is an older copy of the one that was here: it gives offsets again; stop this process and run \
        `tickwal adopt`
        """,
        metadata: [
          "head": .stringConvertible(note.head.rawValue),
          "head_before": .stringConvertible(before.head.rawValue),
        ])
    }
  }

  /// Says that another log was here, and has the next feed write a gap from the time at which that one was left:
  /// what was received since, and what that one has not shipped, is not in this one.
  private static func succeed(
    _ before: FoundNote, on connection: SQLiteConnection, path: String, _ logger: Logger
  ) throws(SQLiteError) {
    let cause = before.note.isClosed ? Gap.Cause.shutdown : .crash
    if try connection.meta(.predecessorLeft) == nil {
      try connection.setMeta(.predecessorLeft, PredecessorLeft(at: before.at, cause: cause).text)
    }
    var metadata: Logger.Metadata = [
      "path": "\(path)", "log_id_before": "\(before.note.logID)",
      "head_before": .stringConvertible(before.note.head.rawValue),
    ]
    let saved = LogFile.saved(of: path)
    if !saved.isEmpty { metadata["saved"] = "\(saved.joined(separator: ","))" }
    logger.warning(
      """
      another log was here and is gone: what it had not shipped is not in this one; the time since it was left \
      becomes a gap; put it back to go on with it
      """, metadata: metadata)
  }

  /// Builds the new log beside its place and names it when it is whole, so that a crash never leaves half
  /// a log under the name.
  package static func create(path: String, options: Options) throws(LogError) {
    let temporary = path + ".new"
    try LogFile.createEmpty(temporary)
    do throws(SQLiteError) {
      let connection = try SQLiteConnection(path: temporary, access: .create, vfs: options.vfs)
      // Before journal_mode=WAL: after it, auto_vacuum silently stays off.
      try connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
      try connection.require(pragma: "journal_mode", set: "WAL", reads: "wal")
      try connection.require(pragma: "synchronous", set: "FULL", reads: "2")
      try connection.execute(
        """
        BEGIN;
        PRAGMA application_id = \(Schema.applicationID);
        PRAGMA user_version = \(Schema.version);
        \(Schema.tables)
        \(Schema.views)
        INSERT INTO meta(key, value) VALUES ('head', 0), ('log_id', '\(LogID.random().rawValue)'),
          ('created_at', \(options.wallClock()));
        COMMIT;
        """)
      try connection.checkpoint(.truncate)
      try connection.close()
    } catch {
      if error.isCannotOpen, Volume.lacksInodes(path) { throw LogError.unusable(path, ENOSPC) }
      throw LogError("making the log \(path)", error)
    }
    try LogFile.publish(temporary, as: path)
  }

  private static func configured(
    _ connection: SQLiteConnection, path: String, _ changedAt: Int64
  ) throws -> HeadHint {
    do throws(SQLiteError) {
      return try configure(connection, path: path, changedAt)
    } catch {
      // A table that is not there, as after damage to the schema.
      guard error.isGeneric else { throw error }
      throw LogError.damaged(path, error)
    }
  }

  /// Sets what is not stored in the file and reads everything back.
  /// - Returns: which log it is, and its head.
  private static func configure(
    _ connection: SQLiteConnection, path: String, _ changedAt: Int64
  ) throws(SQLiteError) -> HeadHint {
    try connection.require(pragma: "journal_mode", set: "WAL", reads: "wal")
    try connection.require(pragma: "synchronous", set: "FULL", reads: "2")
    try connection.require(pragma: "auto_vacuum", reads: "2")
    try connection.require(pragma: "wal_autocheckpoint", set: "0", reads: "0")
    try connection.require(pragma: "journal_size_limit", set: "67108864", reads: "67108864")
    try connection.require(pragma: "cache_size", set: "-8192", reads: "-8192")
    try connection.require(pragma: "application_id", reads: "\(Schema.applicationID)")
    try connection.execute("PRAGMA mmap_size = 0")
    // A build of SQLite without mmap answers with no row, which is as good.
    if let size = try connection.text("PRAGMA mmap_size"), size != "0" {
      throw SQLiteError.refused("PRAGMA mmap_size", "is \(size), not 0")
    }
    let id = try connection.meta(.logID) ?? LogID(rawValue: "")
    return HeadHint(
      logID: id, head: try head(of: connection, path: path), fileChangedAt: changedAt)
  }

  /// The head, if it fits the ticks: one too low would give offsets twice, one too high would make dead letters of
  /// ticks that never were.
  private static func head(of connection: SQLiteConnection, path: String) throws(SQLiteError) -> Offset {
    guard let head = try connection.meta(.head)?.rawValue else {
      throw SQLiteError.contradiction("it has no head")
    }
    let last = try connection.lastTick()?.rawValue
    if let last, last > head {
      throw SQLiteError.contradiction(
        "it has offset \(Figures.grouped(last)) beyond its head \(Figures.grouped(head))")
    }
    let trimmed = try connection.trimmed().rawValue
    guard trimmed >= 0, trimmed <= head else {
      throw SQLiteError.contradiction(
        "everything up to \(trimmed) is trimmed, and its head is \(Figures.grouped(head))")
    }
    let known = max(last ?? 0, trimmed)
    let most =
      (try connection.int("PRAGMA page_count") ?? 0) * Int64(SQLiteConnection.pageBytes / TickRow.leastBytes)
    if head.subtractingSaturated(known) > most {
      let lost = try connection.lastLost(through: head)
      guard head.subtractingSaturated(lost) <= most else {
        throw SQLiteError.contradiction(
          "its head \(Figures.grouped(head)) is beyond what it can hold after offset \(Figures.grouped(known))"
        )
      }
    }
    return Offset(rawValue: head)
  }
}

extension SQLiteConnection {
  /// Checks what is stored in the file.
  fileprivate func require(pragma: String, reads expected: String) throws(SQLiteError) {
    let actual = try text("PRAGMA \(pragma)")
    guard actual == expected else {
      throw SQLiteError.contradiction("\(pragma) reads \(actual ?? "nothing"), not \(expected)")
    }
  }

  /// Sets a pragma and checks that it took.
  fileprivate func require(pragma: String, set: String, reads expected: String) throws(SQLiteError) {
    try execute("PRAGMA \(pragma) = \(set)")
    let actual = try text("PRAGMA \(pragma)")
    guard actual == expected else {
      throw SQLiteError.refused("PRAGMA \(pragma)", "reads \(actual ?? "nothing"), not \(expected)")
    }
  }
}

extension LogError {
  static func damaged(_ path: String, _ error: SQLiteError) -> LogError {
    LogError(
      .notALog,
      // SQLite says the same of a read that fails.
      "\(path) is damaged, or the disk cannot read it (see the kernel's log): \(error.message); \(salvageAdvice)"
    )
  }
}
