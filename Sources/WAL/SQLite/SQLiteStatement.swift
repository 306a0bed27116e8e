import CSQLite

/// A value to bind.
package enum SQLiteValue: Sendable, Equatable {
  case null
  case int(Int64)
  case text(String)
  case blob([UInt8])

  package static func int(_ value: Int64?) -> SQLiteValue { value.map { .int($0) } ?? .null }
  package static func int(_ value: Int) -> SQLiteValue { .int(Int64(value)) }
  package static func text(_ value: String?) -> SQLiteValue { value.map { .text($0) } ?? .null }
}

/// A compiled statement, finalized when it goes away.
package final class SQLiteStatement {
  private let handle: OpaquePointer
  private unowned let connection: SQLiteConnection
  private let sql: String

  init(_ handle: OpaquePointer, of connection: SQLiteConnection, sql: String) {
    self.handle = handle
    self.connection = connection
    self.sql = sql
  }

  deinit {
    sqlite3_finalize(handle)
  }

  // MARK: Binding (indices start at 1)

  package func bind(_ values: [SQLiteValue]) throws(SQLiteError) {
    for (index, value) in values.enumerated() { try bind(Int32(index + 1), value) }
  }

  package func bind(_ index: Int32, _ value: SQLiteValue) throws(SQLiteError) {
    switch value {
    case .null: try check(sqlite3_bind_null(handle, index))
    case .int(let value): try check(sqlite3_bind_int64(handle, index, value))
    case .text(var value):
      try check(value.withUTF8 { csqlite_bind_text(handle, index, $0.base(), Int32($0.count)) })
    case .blob(let value):
      try check(value.withUnsafeBytes { csqlite_bind_blob(handle, index, $0.base(), Int32($0.count)) })
    }
  }

  package func bind(_ index: Int32, _ value: Int64) throws(SQLiteError) {
    try check(sqlite3_bind_int64(handle, index, value))
  }

  package func bindNull(_ index: Int32) throws(SQLiteError) {
    try check(sqlite3_bind_null(handle, index))
  }

  /// Binds text without copying it: `bytes` must stay where it is until the statement was reset.
  package func bindUncopied(_ index: Int32, _ bytes: UnsafeRawBufferPointer) throws(SQLiteError) {
    try check(csqlite_bind_static_text(handle, index, bytes.base(), Int32(bytes.count)))
  }

  // MARK: Running

  /// Whether there is a row.
  package func step() throws(SQLiteError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    case let code:
      let error = connection.makeError(code: code, sql: sql)
      reset()
      throw error
    }
  }

  /// Steps over all rows and resets.
  /// - Parameter goesOn: asked before each row.
  package func fetchAll<T>(
    while goesOn: () -> Bool = { true }, row: (SQLiteStatement) throws(SQLiteError) -> T
  ) throws(SQLiteError) -> [T] {
    defer { reset() }
    var rows: [T] = []
    while goesOn(), try step() { rows.append(try row(self)) }
    return rows
  }

  /// Steps to the end and resets.
  package func finish() throws(SQLiteError) {
    while try step() {}
    reset()
  }

  /// The error of the last step, which this call would repeat, was already thrown by `step`.
  package func reset() {
    sqlite3_reset(handle)
  }

  // MARK: Columns (indices start at 0)

  package func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
  package func isInteger(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_INTEGER }
  package func isText(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_TEXT }
  package func int(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

  package func optionalInt(_ column: Int32) -> Int64? { isNull(column) ? nil : int(column) }

  package func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }

  package func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }

  /// A column as it is stored; a fraction, which no log has, as text.
  package func value(_ column: Int32) -> SQLiteValue {
    switch sqlite3_column_type(handle, column) {
    case SQLITE_NULL: .null
    case SQLITE_INTEGER: .int(int(column))
    case SQLITE_BLOB: .blob(Array(bytes(column)))
    default: .text(text(column))
    }
  }

  /// Text or blob as it is stored; valid until the next step, reset or conversion.
  package func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
    // The pointer first, then the length: the order SQLite documents as safe.
    let start = sqlite3_column_blob(handle, column)
    return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))
  }

  private func check(_ code: Int32) throws(SQLiteError) {
    guard code == SQLITE_OK else { throw connection.makeError(code: code, sql: sql) }
  }
}

extension UnsafeRawBufferPointer {
  /// Never null, because SQLite takes a null pointer for NULL and not for an empty text.
  fileprivate func base() -> UnsafeRawPointer { baseAddress ?? UnsafeRawPointer(emptyText.utf8Start) }
}

extension UnsafeBufferPointer<UInt8> {
  fileprivate func base() -> UnsafeRawPointer { UnsafeRawBufferPointer(self).base() }
}

private let emptyText: StaticString = ""
