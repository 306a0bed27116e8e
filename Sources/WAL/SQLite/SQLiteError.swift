import Base
import CSQLite
import Glibc

/// The error that SQLite answered, with the statement; bound values are never part of it.
package struct SQLiteError: Error, Sendable, CustomStringConvertible {
  /// The extended result code.
  package let code: Int32
  /// `errno` of the system call that failed, 0 if none did or SQLite does not say; may be that of an earlier error.
  private let lastSystemError: Int32
  package let message: String
  package let sql: String

  package init(code: Int32, systemError: Int32, message: String, sql: String) {
    self.code = code
    lastSystemError = systemError
    self.message = message
    self.sql = sql
  }

  package var primaryCode: Int32 { code & 0xFF }

  /// `errno` of the system call that this error is about; 0 if it is about none.
  ///
  /// Reference: https://www.sqlite.org/c3ref/system_errno.html: noted for these two kinds of errors alone.
  package var systemError: Int32 {
    let isNoted = primaryCode == SQLITE_IOERR && code != Self.noMemory || primaryCode == SQLITE_CANTOPEN
    return isNoted ? lastSystemError : 0
  }

  /// The process or the machine has no descriptor left.
  package var lacksDescriptors: Bool { systemError == EMFILE || systemError == ENFILE }

  /// A call of the system on one of the log's files failed, or has no room: the volume's doing.
  package var isOfVolume: Bool {
    [SQLITE_IOERR, SQLITE_FULL, SQLITE_READONLY, SQLITE_CANTOPEN].contains(primaryCode)
      && code != Self.noMemory && !lacksDescriptors
  }

  /// There is no room on the volume, or in a quota on it. A failed fsync is never taken for that, whatever `errno`
  /// says; nor any other failed call but a write: `errno` may be that of an earlier one.
  ///
  /// Reference: https://www.sqlite.org/rescode.html#full; SQLITE_IOERR_SHMSIZE is what opening on a
  /// full volume answers.
  package var isDiskFull: Bool { primaryCode == SQLITE_FULL || code == SQLiteError.shmSize || isQuota }

  /// A write was refused by a quota, of which the free space of the volume says nothing.
  package var isQuota: Bool { code == SQLiteError.write && systemError == EDQUOT }

  /// Failures of calls on one file, whose `errno` SQLite keeps.
  static func isWriteOrSync(_ code: Int32) -> Bool {
    [write, fsync, directoryFsync, truncate].contains(code)
  }

  /// Another process holds a lock; trying again may succeed.
  package var isBusy: Bool { primaryCode == SQLITE_BUSY || primaryCode == SQLITE_LOCKED }

  /// The file's content is damaged where it was read.
  package var isCorruption: Bool { primaryCode == SQLITE_CORRUPT || primaryCode == SQLITE_NOTADB }

  /// A table refuses a row.
  package var isConstraint: Bool { primaryCode == SQLITE_CONSTRAINT || primaryCode == SQLITE_MISMATCH }

  /// The text of a statement and the schema do not fit one another, among others.
  package var isGeneric: Bool { primaryCode == SQLITE_ERROR }

  /// The file, its WAL or its folder is not there or may not be opened.
  package var isCannotOpen: Bool {
    (primaryCode == SQLITE_CANTOPEN || primaryCode == SQLITE_PERM) && !lacksDescriptors
  }

  /// What is opened cannot be written, and SQLite would have to.
  package var isReadOnly: Bool { primaryCode == SQLITE_READONLY }

  /// The statement is named where the error is about it: a disk that fails does so at any of them.
  package var description: String {
    var text = "SQLite: \(message) (code \(code)"
    if systemError != 0 { text += ", \(SystemError.text(systemError))" }
    text += ")"
    let isAboutStatement = isGeneric || isConstraint || primaryCode == SQLITE_MISUSE
    return isAboutStatement && !sql.isEmpty ? text + " in: \(sql)" : text
  }

  // Macros with arithmetic in them, which Swift does not import.
  private static let write = SQLITE_IOERR | (3 << 8)
  private static let fsync = SQLITE_IOERR | (4 << 8)
  private static let directoryFsync = SQLITE_IOERR | (5 << 8)
  private static let truncate = SQLITE_IOERR | (6 << 8)
  private static let shmSize = SQLITE_IOERR | (19 << 8)
  private static let noMemory = SQLITE_IOERR | (12 << 8)
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
