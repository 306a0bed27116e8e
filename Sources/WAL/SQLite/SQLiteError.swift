import Base
import CSQLite
import Glibc

/// The error that SQLite answered, with the statement; bound values are never part of it.
package struct SQLiteError: Error, Sendable, CustomStringConvertible {
  /// The extended result code.
  package let code: Int32
  /// `errno` of the system call that failed, 0 if none did or SQLite does not say.
  package let systemError: Int32
  package let message: String
  package let sql: String

  package var primaryCode: Int32 { code & 0xFF }

  /// There is no room on the volume. A failed fsync is never taken for that, whatever `errno` says;
  /// nor any other failed call: `errno` may be that of an earlier one.
  ///
  /// Reference: https://www.sqlite.org/rescode.html#full; SQLITE_IOERR_SHMSIZE is what opening on a
  /// full volume answers.
  package var isDiskFull: Bool { primaryCode == SQLITE_FULL || code == SQLiteError.shmSize }

  /// Another process holds a lock; trying again may succeed.
  package var isBusy: Bool { primaryCode == SQLITE_BUSY || primaryCode == SQLITE_LOCKED }

  /// The file's content is damaged where it was read.
  package var isCorruption: Bool { primaryCode == SQLITE_CORRUPT || primaryCode == SQLITE_NOTADB }

  /// A table refuses a row.
  package var isConstraint: Bool { primaryCode == SQLITE_CONSTRAINT || primaryCode == SQLITE_MISMATCH }

  /// The text of a statement and the schema do not fit one another, among others.
  package var isGeneric: Bool { primaryCode == SQLITE_ERROR }

  /// The file, its WAL or its folder is not there or may not be opened.
  package var isCannotOpen: Bool { primaryCode == SQLITE_CANTOPEN || primaryCode == SQLITE_PERM }

  /// What is opened cannot be written, and SQLite would have to.
  package var isReadOnly: Bool { primaryCode == SQLITE_READONLY }

  package var description: String {
    var text = "SQLite: \(message) (code \(code)"
    if systemError != 0 { text += ", \(SystemError.text(systemError))" }
    return text + ") in: \(sql)"
  }

  // A macro with arithmetic in it, which Swift does not import.
  private static let shmSize = SQLITE_IOERR | (19 << 8)
}

extension SQLiteError {
  /// A setting did not take.
  static func refused(_ what: String, _ why: String) -> SQLiteError {
    SQLiteError(code: SQLITE_MISUSE, systemError: 0, message: "\(what) \(why)", sql: what)
  }

  /// The content contradicts itself, which is damage as well.
  static func contradiction(_ what: String) -> SQLiteError {
    SQLiteError(code: SQLITE_CORRUPT, systemError: 0, message: what, sql: "")
  }
}
