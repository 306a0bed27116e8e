import Base
import CSQLite

/// One SQLite connection, used by one thread at a time.
///
/// Opened without SQLite's mutexes: whoever owns it owns it alone, so that locking inside SQLite
/// would only cost time. Closing is checked: SQLite refuses to close a connection with live statements.
package final class SQLiteConnection {
  private var handle: OpaquePointer?
  private var cached: [String: SQLiteStatement] = [:]
  private let walFrameCount = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

  /// SQLite's default, which every log has.
  package static let pageBytes = 4096

  package enum Access: Sendable {
    case readWrite, create, readOnly
    /// For a file that nobody can change, as on a read-only file system: no lock is taken, and SQLite's WAL is passed
    /// over.
    case immutable
    /// For a file that no process writes, where nothing can be made beside it: no lock is taken, and the index of
    /// SQLite's WAL is kept in memory.
    case unshared

    fileprivate var flags: Int32 {
      switch self {
      case .readWrite: SQLITE_OPEN_READWRITE
      case .create: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
      case .readOnly, .unshared: SQLITE_OPEN_READONLY
      case .immutable: SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
      }
    }
  }

  /// - Parameter vfs: name of a registered SQLite VFS; `nil` means the system's.
  package init(path: String, access: Access, vfs: String? = nil) throws(SQLiteError) {
    walFrameCount.initialize(to: 0)
    // Reference: https://www.sqlite.org/uri.html#uriimmutable
    let name = access == .immutable ? "file:\(PercentEncoding.path(path))?immutable=1" : path
    // Reference: https://www.sqlite.org/vfs.html#standard_unix_vfses
    let vfs = access == .unshared ? "unix-none" : vfs
    let code = sqlite3_open_v2(name, &handle, access.flags | SQLITE_OPEN_NOMUTEX, vfs)
    guard code == SQLITE_OK, handle != nil else {
      let error = makeError(code: code, sql: "open \(path)")
      sqlite3_close_v2(handle)
      handle = nil
      throw error
    }
    sqlite3_extended_result_codes(handle, 1)
    // Before the file is read first, which is what keeps SQLite from asking for shared memory.
    // Reference: https://www.sqlite.org/wal.html#use_of_wal_without_shared_memory
    if access == .unshared { try execute("PRAGMA locking_mode = EXCLUSIVE") }
  }

  deinit {
    cached.removeAll()
    sqlite3_close_v2(handle)
    walFrameCount.deallocate()
  }

  package func close() throws(SQLiteError) {
    cached.removeAll()
    let code = sqlite3_close(handle)
    guard code == SQLITE_OK else { throw makeError(code: code, sql: "close") }
    handle = nil
  }

  /// Runs statements that return nothing, or whose rows do not matter.
  package func execute(_ sql: String) throws(SQLiteError) {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    guard code == SQLITE_OK else { throw makeError(code: code, sql: sql) }
  }

  package func prepare(_ sql: String) throws(SQLiteError) -> SQLiteStatement {
    var statement: OpaquePointer?
    let code = sqlite3_prepare_v3(
      handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
    guard code == SQLITE_OK, let statement else { throw makeError(code: code, sql: sql) }
    return SQLiteStatement(statement, of: self, sql: sql)
  }

  /// A statement that is compiled once and kept; the text is the key, so it must not vary with data.
  package func statement(_ sql: String) throws(SQLiteError) -> SQLiteStatement {
    if let known = cached[sql] { return known }
    let made = try prepare(sql)
    cached[sql] = made
    return made
  }

  /// Runs one cached statement to its end.
  package func run(_ sql: String, _ values: SQLiteValue...) throws(SQLiteError) {
    let statement = try statement(sql)
    try statement.bind(values)
    try statement.finish()
  }

  /// All rows of a cached statement whose answer is short.
  package func fetchAll<T>(
    _ sql: String, _ values: SQLiteValue..., while goesOn: () -> Bool = { true },
    row: (SQLiteStatement) throws(SQLiteError) -> T
  ) throws(SQLiteError) -> [T] {
    try fetchAll(sql, values, while: goesOn, row: row)
  }

  /// - Parameter goesOn: asked before each row.
  package func fetchAll<T>(
    _ sql: String, _ values: [SQLiteValue], while goesOn: () -> Bool = { true },
    row: (SQLiteStatement) throws(SQLiteError) -> T
  ) throws(SQLiteError) -> [T] {
    let statement = try statement(sql)
    try statement.bind(values)
    return try statement.fetchAll(while: goesOn, row: row)
  }

  /// The first row of a cached statement, `nil` if there is none.
  package func fetchOne<T>(
    _ sql: String, _ values: SQLiteValue..., row: (SQLiteStatement) throws(SQLiteError) -> T
  ) throws(SQLiteError) -> T? {
    try fetchOne(sql, values, row: row)
  }

  package func fetchOne<T>(
    _ sql: String, _ values: [SQLiteValue], row: (SQLiteStatement) throws(SQLiteError) -> T
  ) throws(SQLiteError) -> T? {
    let statement = try statement(sql)
    try statement.bind(values)
    defer { statement.reset() }
    return try statement.step() ? row(statement) : nil
  }

  /// The first column of the first row, `nil` if there is none.
  package func int(_ sql: String, _ values: SQLiteValue...) throws(SQLiteError) -> Int64? {
    try fetchOne(sql, values) { $0.optionalInt(0) } ?? nil
  }

  /// The first column of the first row, `nil` if there is none.
  package func text(_ sql: String, _ values: SQLiteValue...) throws(SQLiteError) -> String? {
    try fetchOne(sql, values) { $0.optionalText(0) } ?? nil
  }

  /// The names of a table's columns, none if there is no such table: a log that is only read may be of an older
  /// schema.
  package func columns(of table: String) throws(SQLiteError) -> [String] {
    try fetchAll("SELECT name FROM pragma_table_info(?)", .text(table)) { $0.text(0) }
  }

  /// Rows changed by the statement that ran last.
  package var changes: Int { Int(sqlite3_changes64(handle)) }
  package var lastInsertedRow: Int64 { sqlite3_last_insert_rowid(handle) }
  /// Whether a transaction is open.
  package var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  package func setBusyTimeout(milliseconds: Int32) {
    sqlite3_busy_timeout(handle, milliseconds)
  }

  /// Counts the frames of SQLite's WAL from now on. Replaces SQLite's automatic checkpoint, whose
  /// failures nobody would hear of.
  package func watchWAL() {
    sqlite3_wal_hook(
      handle,
      { count, _, _, frames in
        count!.assumingMemoryBound(to: Int32.self).pointee = frames
        return SQLITE_OK
      }, walFrameCount)
  }

  /// Frames in SQLite's WAL after the last commit of this connection.
  package var walFrames: Int { Int(walFrameCount.pointee) }

  /// Whether SQLite's WAL is copied and removed when this connection is the last to close; SQLite's own
  /// default is that it is.
  package func setCheckpointOnClose(_ isOn: Bool) throws(SQLiteError) {
    let code = csqlite_no_checkpoint_on_close(handle, isOn ? 0 : 1)
    guard code == SQLITE_OK else { throw makeError(code: code, sql: "SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE") }
  }

  package enum CheckpointMode: Sendable {
    /// Copies what it can without waiting for readers.
    case passive
    /// Waits (busy timeout) for readers, so that the next commit starts the WAL file over.
    case restart
    /// As `restart`, and cuts the WAL file to nothing.
    case truncate

    fileprivate var value: Int32 {
      switch self {
      case .passive: SQLITE_CHECKPOINT_PASSIVE
      case .restart: SQLITE_CHECKPOINT_RESTART
      case .truncate: SQLITE_CHECKPOINT_TRUNCATE
      }
    }
  }

  /// Frames in SQLite's WAL and how many of them the database file now has.
  package struct CheckpointResult: Sendable, Equatable {
    package let walFrames: Int
    package let copiedFrames: Int
    /// Readers kept it from doing all that was asked.
    package let isBlocked: Bool
  }

  /// - Throws: also if another connection is checkpointing or writing; not if a reader was in the way.
  ///
  /// Reference: https://www.sqlite.org/c3ref/wal_checkpoint_v2.html
  @discardableResult
  package func checkpoint(_ mode: CheckpointMode) throws(SQLiteError) -> CheckpointResult {
    var frames: Int32 = 0
    var copied: Int32 = 0
    let code = sqlite3_wal_checkpoint_v2(handle, nil, mode.value, &frames, &copied)
    // SQLITE_BUSY with counts: it ran, as far as readers let it.
    let isBlocked = code & 0xFF == SQLITE_BUSY && frames >= 0
    guard code == SQLITE_OK || isBlocked else { throw makeError(code: code, sql: "checkpoint \(mode)") }
    return CheckpointResult(walFrames: Int(frames), copiedFrames: Int(copied), isBlocked: isBlocked)
  }

  /// Copies the whole database, as this connection sees it, into another file, which may be there and empty; durable
  /// when it returns.
  ///
  /// Reference: https://www.sqlite.org/backup.html
  package func backup(to path: String) throws(SQLiteError) {
    let copy = try SQLiteConnection(path: path, access: .create)
    guard let backup = sqlite3_backup_init(copy.handle, "main", handle, "main") else {
      throw copy.makeError(code: sqlite3_errcode(copy.handle), sql: "copying to \(path)")
    }
    let step = sqlite3_backup_step(backup, -1)
    let code = sqlite3_backup_finish(backup)
    guard step == SQLITE_DONE, code == SQLITE_OK else {
      throw copy.makeError(code: code == SQLITE_OK ? step : code, sql: "copying to \(path)")
    }
    try copy.close()
  }

  func makeError(code: Int32, sql: String) -> SQLiteError {
    SQLiteError(
      code: code == SQLITE_OK ? SQLITE_ERROR : code, systemError: systemError(of: code, in: sql),
      message: handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code)),
      sql: sql)
  }

  /// `errno` of the call that failed, where SQLite knows which one that was.
  private func systemError(of code: Int32, in sql: String) -> Int32 {
    guard let handle else { return 0 }
    if SQLiteError.isWriteOrSync(code) {
      // A checkpoint writes the database's file, everything else SQLite's WAL.
      return csqlite_last_errno(handle, sql.hasPrefix("checkpoint") ? 0 : 1)
    }
    // SQLite does not note it when COMMIT fails: it would be an earlier one's.
    return sql == "COMMIT" ? 0 : sqlite3_system_errno(handle)
  }
}
