import Base
import Glibc
import Synchronization
import Ticks
import WAL

/// Items in a SQLite file: the table `items` with a column for each attribute, numbers as text.
///
/// Writes that arrive together share a commit; each is on the disk when its call returns. Another process may write
/// to the same file (`reconcile --repair` and `replay` beside `run`): they take turns.
actor LocalTable: ItemTable {
  private let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let path: String
  private let turn: FileTurn
  private let wall: @Sendable () -> Int64
  private var connection: SQLiteConnection?
  /// The files that it has open.
  private var opened: [String: NamedFile] = [:]
  /// For looking at items: makes no file and changes none.
  private var reading: SQLiteConnection?
  private let queue = Mutex<[Waiting]>([])

  /// A row on its way; `outcome` is set once it was committed or failed.
  private final class Waiting: Sendable {
    let columns: [String?]
    let outcome = Mutex<Result<Void, any Error>?>(nil)

    init(_ columns: [String?]) { self.columns = columns }
  }

  private static let columns = ItemAttributes.Name.allCases.map(\.text)

  /// - Parameter turn: `nil` for the one that every process takes.
  init(path: String, wall: @escaping @Sendable () -> Int64, turn: FileTurn? = nil) throws {
    executor = try ThreadExecutor(named: "local-table")
    self.path = path
    self.turn = turn ?? FileTurn(of: path)
    self.wall = wall
  }

  nonisolated let clock = TableClock()
  func askDate() -> Int64? { wall() / 1_000_000 }
  func hasRightKeys() -> Bool { true }

  nonisolated func request(_ attributes: ItemAttributes) -> [String?] {
    var values = [String?](repeating: nil, count: Self.columns.count)
    func set(_ name: ItemAttributes.Name, _ value: ItemAttributes.Value) {
      values[name.rawValue] = Self.text(value)
    }
    attributes.visitKey(set)
    attributes.visitRest(set)
    return values
  }

  private static func text(_ value: ItemAttributes.Value) -> String {
    switch value {
    case .text(let text): String(decoding: text, as: UTF8.self)
    case .json(let contents): String(decoding: JSONString.replacingLoneSurrogates(contents), as: UTF8.self)
    case .integer(let integer): String(integer)
    }
  }

  /// - Parameter columns: a value for each of `ItemAttributes.Name.allCases`.
  nonisolated func write(_ columns: [String?]) async throws -> ItemRefusal? {
    let waiting = Waiting(columns)
    queue.withLock { $0.append(waiting) }
    try await settle(waiting)
    return nil
  }

  /// Commits everything that is queued, unless an earlier call did that for this row, too.
  private func settle(_ waiting: Waiting) throws {
    if waiting.outcome.withLock({ $0 == nil }) {
      let group = queue.withLock { queue in
        defer { queue.removeAll() }
        return queue
      }
      // The first one creates the table, and SQLite checkpoints at the end of a commit: in the turn, too. Closing
      // needs none, because SQLite checkpoints there only if no other connection has the file.
      let outcome = Result { try turn.take { try commit(group) } }
      for row in group { row.outcome.withLock { $0 = outcome } }
    }
    try waiting.outcome.withLock { $0 }?.get()
  }

  private func commit(_ group: [Waiting]) throws {
    let connection = try open()
    do throws(SQLiteError) {
      try connection.run("BEGIN IMMEDIATE")
      let statement = try connection.statement(Self.upsert)
      for row in group {
        try statement.bind(row.columns.map { .text($0) })
        try statement.finish()
      }
      try connection.run("COMMIT")
    } catch {
      // After a failed write nothing may be retried on the same connection.
      self.connection = nil
      throw error
    }
    try checkNames(connection)
  }

  /// SQLite goes on with files that were removed or replaced. What it has written there does not count, and is written
  /// again to what has the names.
  private func checkNames(_ connection: SQLiteConnection) throws {
    let lost = Self.files.filter { suffix in
      let found = NamedFile(path + suffix)
      return found != opened[suffix] && found != .unknown
    }
    if lost.isEmpty { return }
    self.connection = nil
    // At its end it would take the names away, which may be another's by now.
    try connection.setCheckpointOnClose(false)
    if !lost.contains("") { _ = try connection.checkpoint(.passive) }
    throw FileTaken(path: path, isWhole: !lost.contains(""))
  }

  /// The table's file, and SQLite's write-ahead log beside it.
  private static let files = ["", "-wal"]

  private func open() throws -> SQLiteConnection {
    if let connection { return connection }
    try checkFiles()
    let opened = try SQLiteConnection(path: path, access: .create)
    opened.setBusyTimeout(milliseconds: 5_000)
    try opened.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
    try opened.execute(
      """
      CREATE TABLE IF NOT EXISTS items(
        \(Self.columns.map { "\($0) TEXT" }.joined(separator: ", ")),
        PRIMARY KEY (stream_type, iso_timestamp))
      """)
    for suffix in Self.files { self.opened[suffix] = NamedFile(path + suffix) }
    connection = opened
    return opened
  }

  func close() throws {
    try connection?.close()
    connection = nil
    try reading?.close()
    reading = nil
  }

  /// Attributes that an item does not have stay as they were, as with UpdateItem's SET.
  private static let upsert: String = {
    let updates = columns.dropFirst(2).map { "\($0) = coalesce(excluded.\($0), \($0))" }
    return """
      INSERT INTO items(\(columns.joined(separator: ", ")))
      VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))
      ON CONFLICT(stream_type, iso_timestamp) DO UPDATE SET \(updates.joined(separator: ", "))
      """
  }()
}

extension LocalTable {
  /// The table's files were removed or replaced while they were open.
  struct FileTaken: Error, CustomStringConvertible {
    let path: String
    /// All items are in the table all the same.
    let isWhole: Bool

    var description: String {
      isWhole
        ? "\(path)-wal was removed or replaced beneath this process: its items were copied into \(path)"
        : "\(path) was removed or replaced beneath this process: items go to the file that has its name now, or to a new"
          + " one; `tickwal seek` writes older ones again"
    }
  }

  func items(under keys: [ItemKey]) throws -> [ItemKey: [ItemAttributes.Name: String]] {
    guard let connection = try openForReading() else { return [:] }
    var found: [ItemKey: [ItemAttributes.Name: String]] = [:]
    do {
      let statement = try connection.statement(Self.lookUp)
      for key in keys {
        try statement.bind([.text(key.streamType), .text(key.isoTimestamp)])
        defer { statement.reset() }
        guard try statement.step() else { continue }
        var attributes: [ItemAttributes.Name: String] = [:]
        for name in ItemAttributes.Name.allCases {
          attributes[name] = statement.optionalText(Int32(name.rawValue))
        }
        found[key] = attributes
      }
    } catch {
      reading = nil
      throw error
    }
    return found
  }

  func look() -> [DoctorFinding] {
    let found = FolderLook.finding("items", path, isFolder: false)
    guard found.verdict != .failed else { return [found] }
    return [
      DoctorFinding.here("items") {
        // Fails for another file, and for a table with other columns.
        _ = try openForReading()?.statement(Self.lookUp)
        return found
      }
    ]
  }

  /// `nil` if there is no table yet.
  private func openForReading() throws -> SQLiteConnection? {
    if let reading { return reading }
    guard access(path, F_OK) == 0 else {
      if errno == ENOENT { return nil }
      throw SystemError.last("looking at", path)
    }
    try checkFiles()
    let opened = try SQLiteConnection(path: path, access: .readOnly)
    opened.setBusyTimeout(milliseconds: 5_000)
    reading = opened
    return opened
  }

  /// SQLite would follow a link, and wait for a pipe.
  private func checkFiles() throws {
    for suffix in ["", "-wal", "-shm", "-journal"] {
      if let refusal = OwnFile.objection(to: path + suffix) { throw refusal }
    }
  }

  private static let lookUp =
    "SELECT \(columns.joined(separator: ", ")) FROM items WHERE stream_type = ? AND iso_timestamp = ?"
}
