import CSQLite
import Foundation
import Glibc
import Testing

@testable import WAL
@testable import tickwal

@Suite struct ErrorMessageTests {
  private func failure(_ code: Int32, _ systemError: Int32 = 0) -> LogError {
    LogError(
      "appending",
      SQLiteError(code: code, systemError: systemError, message: "words", sql: "INSERT INTO ticks"))
  }

  @Test func `the volume is to be looked at where it is the cause`() {
    let lines = failure(SQLITE_IOERR, EIO).lines
    #expect(lines[0] == "appending: SQLite: words (code 10, Input/output error)")
    #expect(lines[1].contains("Everything that was confirmed is safe. Look at the volume (dmesg)"))
  }

  @Test(arguments: [SQLITE_CONSTRAINT, SQLITE_NOMEM, SQLITE_MISUSE, SQLITE_ERROR, SQLITE_IOERR | (12 << 8)])
  func `the volume is not blamed for what is not its doing`(code: Int32) {
    let text = failure(code, EIO).lines.joined(separator: " ")
    #expect(!text.contains("dmesg") && !text.contains("safe") && text.contains("start again"), "\(text)")
    #expect(!text.contains("Input/output"), "that is an earlier call's: \(text)")
  }

  @Test func `a statement is named only where the error is about it`() {
    #expect(failure(SQLITE_CONSTRAINT).description.hasSuffix("in: INSERT INTO ticks"))
    for code in [SQLITE_IOERR, SQLITE_FULL, SQLITE_CORRUPT, SQLITE_BUSY, SQLITE_CANTOPEN] {
      #expect(!failure(code).description.contains("INSERT"))
    }
  }

  @Test func `too many open files are no fault of the path`() {
    let error = SQLiteError(code: SQLITE_CANTOPEN, systemError: EMFILE, message: "words", sql: "")
    #expect(!error.isCannotOpen && !error.isOfVolume && error.description.contains("EMFILE"))
    let text = LogError.unusable("/x/ticks.db", EMFILE).lines.joined(separator: " ")
    #expect(text.contains("EMFILE") && !text.contains("WAL_PATH must name"))
  }

  @Test func `a full volume says what to do`() {
    let error = failure(SQLITE_FULL)
    #expect(error.code == .diskFull)
    #expect(
      error.lines == [
        "appending: SQLite: words (code 13); the volume has no room: make some (df -h, df -i) and try again"
      ])
  }

  @Test func `a log in use says what to do, once`() {
    #expect(
      LogError.inUse("ticks.db", by: 7).lines == [
        "the log ticks.db is in use by process 7: stop it first, or name another log with WAL_PATH"
      ])
    let told = "the log ticks.db is in use by process 7: stop it before a salvage"
    #expect(LogError(.inUse(pid: 7), told).lines == [told])
  }

  @Test func `an error has a document`() {
    #expect(
      ErrorDocument.document(["one", "two"], .badValue).text
        == #"{"error":{"exit_code":78,"messages":["one","two"]}}"#)
  }
}
