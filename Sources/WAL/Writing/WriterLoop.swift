import Base
import CSQLite
import Glibc
import Logging

/// The work of the writer's thread with its connection, one group after another.
struct WriterLoop {
  private let connection: SQLiteConnection
  private let inserter: TickInserter
  let path: String
  private let options: TickLog.Options
  private let logger: Logger
  private let lock: LogLock
  private let metrics = LogMetrics.shared
  private var logID: LogID
  private var hasNoteFailed = false
  private let place: LogPlace
  /// The saving of the log, once its files have lost their names.
  private var rescue: LogRescue?
  private var hasSaidLock = false
  /// The last durable offset.
  private(set) var head: Offset
  /// Whether the group given to `commit` last is durable.
  private(set) var isCommitted = false
  /// Whether that group opened or closed a gap.
  private(set) var hasChangedGaps = false
  private var checkpoints: CheckpointSchedule
  private var failedTries = 0
  private var upkeep: LogUpkeep?
  /// `nil` before the first piece of upkeep: the volume is not watched.
  var disk: DiskKeeper?
  /// The error of a write that found no room, until it is taken.
  private var full: SQLiteError?
  /// Since the last commit, SQLite's WAL has been made to start over in the room that it has.
  private var hasStartedOver = false
  private var hasSaidNoCopy = false
  /// The WAL's length at the last checkpoint that was whole.
  private var copiedFrames = 0
  private var walLimit = 64 << 20

  init(
    connection: SQLiteConnection, path: String, from note: HeadHint, lock: LogLock,
    options: TickLog.Options,
    logger: Logger
  ) {
    self.connection = connection
    self.path = path
    inserter = TickInserter(connection)
    self.options = options
    self.logger = logger
    logID = note.logID
    head = note.head
    self.lock = lock
    place = LogPlace(path: path)
    checkpoints = options.checkpoints
    connection.watchWAL()
  }

  // MARK: Committing

  typealias Outcome = Result<OffsetRange?, any Error>

  /// Commits a group as one transaction; on an error nothing of it is durable, unless `isCommitted`.
  ///
  /// All of it is durable on return: `synchronous=FULL` syncs SQLite's WAL in COMMIT.
  mutating func commit(_ group: [WriteRequest]) throws(SQLiteError) -> [Outcome] {
    isCommitted = false
    let start = MonotonicClock.now()
    if connection.isInTransaction { try connection.execute("ROLLBACK") }
    try connection.run("BEGIN IMMEDIATE")
    let transaction = WriteTransaction(connection, head: head, now: options.wallClock())
    var outcomes: [Outcome] = []
    outcomes.reserveCapacity(group.count)
    for request in group {
      outcomes.append(try perform(request, in: transaction))
    }
    let newHead = transaction.head
    if newHead != head {
      try connection.setHead(newHead)
    }
    let point: KillPoint = newHead == head ? .record : .append
    point.before()
    try connection.run("COMMIT")
    point.after()
    isCommitted = true
    metrics.commitDuration.record(MonotonicClock.now() - start)
    metrics.committed(group, began: transaction.begunGaps, letters: transaction.addedLetters)
    hasStartedOver = false
    // Started over: another WAL of the same length is not the one that was copied.
    if connection.walFrames < copiedFrames { copiedFrames = 0 }
    rescue?.committed()
    hasChangedGaps = transaction.hasChangedGaps
    if newHead != head {
      head = newHead
      note()
    }
    if failedTries > 0 {
      logger.notice(
        "the log can be written again", metadata: ["failed_tries": .stringConvertible(failedTries)])
      failedTries = 0
    }
    return outcomes
  }

  private mutating func note(isClosed: Bool = false) {
    // Of a log that is lost, the next start must know until when it was there.
    guard isClosed || place.loss() == nil else { return }
    do throws(LogError) {
      try lock.write(
        HeadHint(logID: logID, head: head, fileChangedAt: LogFile.changedAt(path), isClosed: isClosed))
    } catch {
      guard !hasNoteFailed else { return }
      hasNoteFailed = true
      logger.warning(
        "the head cannot be noted in the lock file: a missing -wal would not be noticed at a start",
        metadata: ["error": "\(error)"])
    }
  }

  private func perform(
    _ request: WriteRequest, in transaction: WriteTransaction
  ) throws(SQLiteError) -> Outcome {
    let first = transaction.head.next
    if !request.ticks.isEmpty {
      transaction.head = try inserter.insert(request.ticks, after: transaction.head)
    }
    let range = request.ticks.isEmpty ? nil : first...transaction.head
    guard request.body != nil || !request.rejected.isEmpty else { return .success(range) }
    // Ticks that were received stay, whatever becomes of the rest of the request.
    try connection.run("SAVEPOINT request")
    let counted = transaction.counted
    do {
      if !request.rejected.isEmpty { try transaction.add(request.rejected, of: request.owner) }
      try request.body?(transaction)
    } catch let error as SQLiteError where !error.isRequestsOwnFault {
      throw error
    } catch {
      try connection.run("ROLLBACK TO request")
      try connection.run("RELEASE request")
      transaction.restore(counted)
      return .failure((error as? SQLiteError).map { LogError("writing to the log \(path)", $0) } ?? error)
    }
    try connection.run("RELEASE request")
    return .success(range)
  }

  /// The time to wait before the same group is tried again; `nil` if it must not be.
  mutating func pauseBeforeRetry(after error: SQLiteError) -> Duration? {
    let pause: Duration
    if error.isDiskFull {
      pause = options.retryPause
    } else if error.isBusy {
      pause = .milliseconds(100)
    } else {
      return nil
    }
    failedTries += 1
    // Without upkeep nobody else says that the volume is full.
    if failedTries == 1 || failedTries.isMultiple(of: Self.triesBetweenReminders),
      !error.isDiskFull || disk == nil
    {
      logger.error(
        error.isDiskFull
          ? "the volume of the log is full: the feed is paused and the commit is retried; make room"
          : "another process holds a lock on the log: the commit is retried; close writing shells",
        metadata: ["error": "\(error)", "failed_tries": .stringConvertible(failedTries)])
    }
    return pause
  }

  private static let triesBetweenReminders = 60

  // MARK: Checkpoints

  /// Copies SQLite's WAL into the database file when it is long enough.
  mutating func checkpointIfDue() throws(SQLiteError) {
    let mode = checkpoints.due(walFrames: connection.walFrames)
    if checkpoints.takeOver() {
      logger.notice(
        "SQLite's WAL starts over again: no reader is in the way any more",
        metadata: walSize(walFileBytes))
    }
    if let mode { try checkpoint(mode) }
  }

  private func walSize(_ bytes: Int) -> Logger.Metadata {
    ["path": "\(path)-wal", "size": "\(Figures.bytes(bytes))"]
  }

  /// - Returns: `nil` if it found no room, or another process was in the way.
  @discardableResult
  private mutating func checkpoint(
    _ mode: SQLiteConnection.CheckpointMode
  ) throws(SQLiteError) -> SQLiteConnection.CheckpointResult? {
    do throws(SQLiteError) {
      // Appends wait while a checkpoint waits for readers.
      connection.setBusyTimeout(milliseconds: CheckpointSchedule.patienceMilliseconds)
      defer { connection.setBusyTimeout(milliseconds: WriterLoop.busyTimeoutMilliseconds) }
      KillPoint.checkpoint.before()
      let start = MonotonicClock.now()
      let result = try connection.checkpoint(mode)
      KillPoint.checkpoint.after()
      metrics.checkpointDuration.record(MonotonicClock.now() - start)
      // A passive one does not say that it was busy: it copies what readers let it, and ends.
      if result.isBlocked || result.copiedFrames < result.walFrames { metrics.blockedCheckpoints.increment() }
      if let warning = checkpoints.finished(result) {
        logger.warning(
          "SQLite's WAL grows because a reader holds an old snapshot; close long transactions in other shells",
          metadata: walSize(warning.walFrames * CheckpointSchedule.bytesPerFrame))
      }
      hasSaidNoCopy = false
      if result.copiedFrames == result.walFrames { copiedFrames = result.walFrames }
      return result
    } catch {
      guard error.isBusy || error.isDiskFull else { throw error }
      // Nothing is lost: what the WAL holds is durable, and appends go on while it can grow.
      checkpoints.failed(walFrames: connection.walFrames)
      guard error.isDiskFull else { return nil }
      full = error
      if !hasSaidNoCopy {
        logger.warning(
          "no room to copy SQLite's WAL into the log's file; it is tried again every second: make room",
          metadata: ["error": "\(error)"])
      }
      hasSaidNoCopy = true
      return nil
    }
  }

  // MARK: Room

  /// Makes room for the next try after a write that found none.
  ///
  /// What SQLite's WAL holds is copied into the log's file, which need not grow for it where pages are only
  /// rewritten; then the WAL starts over in the room that it has. Where that is not enough, the ballast is given up.
  mutating func makeRoom(after error: SQLiteError) throws(SQLiteError) {
    if connection.isInTransaction { try connection.execute("ROLLBACK") }
    let isFirst = !hasStartedOver
    hasStartedOver = true
    if isFirst, try startOver() {
      disk?.writeFailed(error, keepsBallast: true)
    } else {
      disk?.writeFailed(error)
      _ = try startOver()
    }
    full = nil
  }

  /// - Returns: whether the next commit writes at the beginning of SQLite's WAL.
  private mutating func startOver() throws(SQLiteError) -> Bool {
    guard let result = try checkpoint(.restart) else { return false }
    return result.walFrames > 0 && result.copiedFrames == result.walFrames && !result.isBlocked
  }

  // MARK: The files' names

  /// The names that the log's files have lost, found by ``lookAtNames()``.
  var loss: LogLoss? { rescue?.loss }

  /// Looks whether the log's files still have their names. The first time that they do not, everything is saved; what
  /// is committed afterwards is saved at the end.
  mutating func lookAtNames() {
    guard rescue == nil, let loss = place.loss() else { return }
    rescue = LogRescue(loss, path: path, place: place, now: options.wallClock())
    logger.error(
      """
      the log's files were taken away beneath this process: it receives no more, saves what it has, ships for \
      SHUTDOWN_TIMEOUT and ends with 74
      """, metadata: ["what": "\(loss)"])
    save()
    let metadata: Logger.Metadata = ["state": "\(rescue?.state ?? "")"]
    if rescue?.isWhole == true {
      logger.notice(
        "what the log has is saved; what is shipped from now on is added at the end", metadata: metadata)
    } else {
      logger.error(
        "what the log has could not be saved; it is tried again at the end: make room, or copy what /proc/PID/fd has",
        metadata: metadata)
    }
  }

  private mutating func save() {
    rescue?.save(connection) { disk?.writeFailed($0) }
  }

  /// A failure of the log, with the reason if that is that its files have lost their names.
  func explained(_ error: LogError) -> LogError {
    guard error.code == .failed, let loss = place.loss() else { return error }
    let saved = rescue.map { $0.state } ?? "nothing is saved"
    return LogError(
      .lost, "the log's files were taken away beneath this process: \(loss); then \(error); \(saved)")
  }

  /// Sees to it that the lock's file has its name, before anything is written.
  ///
  /// - Throws: `inUse` if another process has the log by now.
  mutating func keepLock() throws(LogError) {
    isCommitted = false
    switch try lock.keep() {
    case .kept: hasSaidLock = false
    case .renewed:
      logger.warning(
        "the log's lock file was removed or replaced: it is there again; nothing but tickwal should touch it",
        metadata: ["path": "\(path).lock"])
    case .impossible(let why):
      guard !hasSaidLock else { return }
      hasSaidLock = true
      logger.error(
        """
        the log's lock file was removed or replaced, and cannot be made anew: another process could open the log; \
        it is tried again
        """, metadata: ["error": "\(why)"])
    }
  }

  // MARK: Upkeep

  /// Does one piece of upkeep, see ``LogUpkeep``; nothing of what is queued.
  ///
  /// - Returns: whether there may be more to do.
  mutating func upkeep(_ settings: LogUpkeep.Settings) throws(SQLiteError) -> Bool {
    if upkeep?.settings != settings {
      upkeep = try LogUpkeep(connection, settings: settings, options: options, logger: logger)
      disk = nil
    }
    let didWork: Bool
    do throws(SQLiteError) {
      var disk =
        disk
        ?? DiskKeeper(
          path: path, limits: settings.disk, volume: options.volume, clock: options.volumeClock,
          logger: logger)
      defer { self.disk = disk }
      didWork = try upkeep?.step(head: head, disk: &disk) ?? false
    } catch {
      guard error.isDiskFull else { throw error }
      full = error
      return false
    }
    if let volume = disk?.state.last?.volume { try fit(volume: volume) }
    if isShort, walFileBytes > walLimit {
      try checkpoint(.truncate)
    } else if didWork || isShort && uncopiedBytes > 0 {
      // What trimming frees is free only in SQLite's WAL until then, which grows by it.
      try checkpoint(.passive)
    }
    return didWork
  }

  /// The error of a write that has found no room since this was asked last.
  mutating func takeFull() -> SQLiteError? {
    defer { full = nil }
    return disk == nil ? nil : full
  }

  /// Looks at the volume after a commit: appends may fill it between two pieces of upkeep.
  /// - Returns: whether it has become short of room by now, so that upkeep should not wait.
  mutating func look() throws(SQLiteError) -> Bool {
    let before = isShort
    try disk?.look(connection)
    if let available = disk?.state.last?.available, uncopiedBytes > available / 4 { try checkpoint(.passive) }
    return isShort && !before
  }

  /// By how much the log's file may have to grow for what SQLite's WAL holds: while there is room for it, because the
  /// WAL starts over only when all of it is copied.
  private var uncopiedBytes: Int {
    connection.walFrames == copiedFrames ? 0 : connection.walFrames * CheckpointSchedule.bytesPerFrame
  }

  private var isShort: Bool { disk?.state.isShort ?? false }

  /// Sets the size that SQLite's WAL may keep of a volume.
  private mutating func fit(volume: Int) throws(SQLiteError) {
    let limit = max(1 << 19, min(64 << 20, volume / 16))
    guard limit != walLimit else { return }
    walLimit = limit
    checkpoints.fit(volumeBytes: volume)
    try connection.execute("PRAGMA journal_size_limit = \(limit)")
  }

  private var walFileBytes: Int {
    var info = stat()
    return stat(path + "-wal", &info) == 0 ? Int(info.st_size) : 0
  }

  /// The time that a statement waits for a lock that another process holds.
  static let busyTimeoutMilliseconds: Int32 = 5_000

  // MARK: Ending

  /// Ends without a WAL if no reader is in the way.
  ///
  /// - Returns: what the process ends with if the log's files have lost their names: what there is, is saved.
  mutating func close() throws(SQLiteError) -> LogError? {
    KillPoint.close.before()
    lookAtNames()
    if rescue != nil { return try closeSaved() }
    noteLogID()
    var isCopied = false
    do throws(SQLiteError) {
      isCopied = try !connection.checkpoint(.truncate).isBlocked
      // Nothing is left to copy, so that closing only removes the empty file.
      if isCopied { try connection.setCheckpointOnClose(true) }
    } catch {
      // What the WAL holds is durable; the next start copies it.
      guard error.isBusy || error.isDiskFull else { throw error }
    }
    try connection.close()
    if isCopied { note(isClosed: true) }
    KillPoint.close.after()
    return nil
  }

  /// The log may have been given another name of its own since it was opened. Where it cannot be read, damage keeps
  /// nobody from closing the log.
  private mutating func noteLogID() {
    do throws(SQLiteError) {
      logID = try connection.meta(.logID) ?? logID
    } catch {
      logger.warning("the log's id cannot be read at its end", metadata: ["error": "\(error)"])
    }
  }

  /// SQLite removes nothing when it closes: what has the names now is not this log's.
  private mutating func closeSaved() throws(SQLiteError) -> LogError? {
    save()
    let facts = LogRescue.Facts(head: head, unshipped: try? connection.lowestNext())
    try connection.close()
    if let rescue, rescue.isWhole, rescue.loss.keepsFile { note(isClosed: true) }
    return rescue?.finish(facts)
  }

  /// Closes the connection after a failure, without writing or syncing anything again.
  func abandon() {
    do throws(SQLiteError) {
      try connection.close()
    } catch {
      logger.error("closing the log after its failure failed, too", metadata: ["error": "\(error)"])
    }
  }
}

extension SQLiteError {
  /// The request asked for something impossible; the connection is as good as before.
  fileprivate var isRequestsOwnFault: Bool { primaryCode == SQLITE_CONSTRAINT || primaryCode == SQLITE_ERROR }
}
