import Base
import CSQLite

/// Asks the scanner whether a text is JSON, and SQLite and the standard library whether that is right.
final class Judge {
  /// One thread asks at a time.
  nonisolated(unsafe) static let shared = Judge()

  private var database: OpaquePointer?
  private var statement: OpaquePointer?

  private init() {
    sqlite3_open(":memory:", &database)
    sqlite3_prepare_v2(database, "SELECT json_valid(?)", -1, &statement, nil)
  }

  /// The scanner's verdict, after it was compared.
  func judge(_ text: UnsafeBufferPointer<UInt8>) throws -> Bool {
    let error = scannerError(text)
    // What SQLite does not see: it ends at a NUL, takes any byte above 0x7f, and nests 2,000 deep at most.
    if text.contains(0) || String(validating: text, as: UTF8.self) == nil {
      try hold(error != nil, "the scanner takes what is no text")
    } else if depthAtMost(text) < 2_000, !isContainer(text, at: error) {
      try hold((error == nil) == (try sqliteAccepts(text)), "the scanner and SQLite do not agree")
    }
    return error == nil
  }

  private func scannerError(_ text: UnsafeBufferPointer<UInt8>) -> JSONError? {
    do throws(JSONError) {
      _ = try JSONScanner.validate(text)
      return nil
    } catch {
      return error
    }
  }

  /// Version 3.40 takes a container in the place of a key if a string is the last thing in it.
  private func isContainer(_ text: UnsafeBufferPointer<UInt8>, at error: JSONError?) -> Bool {
    guard let error, error.position < text.count, error.expected.description == "'\"'" else { return false }
    return text[error.position] == UInt8(ascii: "{") || text[error.position] == UInt8(ascii: "[")
  }

  private func sqliteAccepts(_ text: UnsafeBufferPointer<UInt8>) throws -> Bool {
    guard text.count > 0 else { return false }
    try hold(
      csqlite_bind_static_text(statement, 1, text.baseAddress, CInt(text.count)) == SQLITE_OK
        && sqlite3_step(statement) == SQLITE_ROW, "SQLite does not answer")
    defer { sqlite3_reset(statement) }
    return sqlite3_column_int(statement, 0) == 1
  }

  private func depthAtMost(_ text: UnsafeBufferPointer<UInt8>) -> Int {
    text.count(where: { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "{") })
  }
}
