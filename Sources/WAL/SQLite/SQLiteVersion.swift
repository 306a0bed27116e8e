import CSQLite

/// The SQLite library that this process uses.
package struct SQLiteVersion: Sendable, Equatable, CustomStringConvertible {
  /// `3040001` is 3.40.1. Reference: https://sqlite.org/c3ref/libversion.html
  package var number: Int

  package init(number: Int) { self.number = number }

  package static var current: SQLiteVersion { SQLiteVersion(number: Int(sqlite3_libversion_number())) }

  package var description: String { "\(number / 1_000_000).\(number / 1_000 % 1_000).\(number % 1_000)" }

  /// Whether a checkpoint on one connection may lose what another commits meanwhile. The log is safe all the same:
  /// one connection does both.
  ///
  /// Reference: https://sqlite.org/wal.html#walresetbug
  package var hasWALResetBug: Bool {
    switch number {
    case ..<3_007_000: false
    case 3_044_006..<3_045_000, 3_050_007..<3_051_000: false
    default: number < 3_051_003
    }
  }
}
