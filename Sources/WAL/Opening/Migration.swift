import Base
import Logging

/// A step of the schema from one version to the next. A log of an older version takes all that it lacks, in one
/// transaction, when it is opened for writing; what only reads takes it as it is.
package struct Migration: Sendable {
  /// The version that it begins with; it ends with the next one.
  let from: Int32
  /// The tables and indices that it makes anew, by name, as they are before it.
  let before: [String: String]
  /// The views that came with it, by name.
  let newViews: Set<String>
  /// SQL that stands for itself: later versions change ``Schema``, and what an old log goes through stays.
  ///
  /// Roots of tables keep their pages (a salvage takes those of a new log where the schema is damaged), and
  /// AUTOINCREMENT goes on where it was. Views are no part of it: they are made anew after the last step.
  let statements: String

  /// The table of them, in order: a change of the schema adds one at its end.
  static let all = [
    Migration(
      from: 1, before: ["gaps": gapsOfVersion1], newViews: ["completeness"], statements: toVersion2)
  ]
}

extension Migration {
  /// The steps that a log of a version lacks; `nil` if none lead from there, because no log ever had it.
  static func steps(from version: Int32) -> [Migration]? {
    guard version < Schema.version else { return [] }
    guard let first = all.firstIndex(where: { $0.from == version }) else { return nil }
    return Array(all[first...])
  }

  /// Whether logs of a version can be read.
  package static func isKnown(_ version: Int32) -> Bool {
    version <= Schema.version && steps(from: version) != nil
  }

  /// The tables and indices that were others in a version than they are now, by name.
  package static func tables(ofVersion version: Int32) -> [String: String] {
    (steps(from: version) ?? []).reversed().reduce(into: [:]) { $0.merge($1.before) { $1 } }
  }

  /// The views that a version has not got yet, by name.
  package static func missingViews(ofVersion version: Int32) -> Set<String> {
    (steps(from: version) ?? []).reduce(into: []) { $0.formUnion($1.newViews) }
  }

  /// Brings a log to the present schema; durable when it returns. Until then it is one of the version that it was.
  ///
  /// - Parameter connection: the writing one, with `synchronous=FULL`.
  /// - Throws: `LogError` with `diskFull`, `failed`, or `notALog` if it is damaged; `SQLiteError` if another program
  ///   holds a lock.
  static func run(on connection: SQLiteConnection, path: String, logger: Logger) throws {
    let version = Int32(try connection.int("PRAGMA user_version") ?? 0)
    guard let steps = steps(from: version) else {
      throw LogError.damaged(path, .contradiction("its version reads \(version)"))
    }
    guard !steps.isEmpty else { return }
    do throws(SQLiteError) {
      do throws(SQLiteError) {
        try run(steps, on: connection)
      } catch {
        guard error.isDiskFull, giveUpBallast(of: path, logger) else { throw error }
        try run(steps, on: connection)
      }
    } catch {
      if error.isBusy { throw error }
      // A row that even the old table would not have taken, or a table that is not there.
      if error.isCorruption || error.isConstraint || error.isGeneric { throw LogError.damaged(path, error) }
      throw LogError("bringing the log \(path) from schema \(version) to \(Schema.version)", error)
    }
    logger.notice(
      "the log was of an older version of tickwal and has been brought up; that version does not open it any more",
      metadata: [
        "path": "\(path)", "schema": .stringConvertible(Schema.version),
        "schema_before": .stringConvertible(version),
      ])
  }

  private static func run(_ steps: [Migration], on connection: SQLiteConnection) throws(SQLiteError) {
    if connection.isInTransaction { try connection.execute("ROLLBACK") }
    // Renaming a table leaves alone who names it; a row with a damaged column goes along, for `verify` to find.
    try connection.execute("PRAGMA legacy_alter_table = ON; PRAGMA ignore_check_constraints = ON")
    try connection.execute("BEGIN IMMEDIATE")
    for name in Schema.viewNames { try connection.execute("DROP VIEW IF EXISTS \(name)") }
    for step in steps { try connection.execute(step.statements) }
    try connection.execute(Schema.views)
    try connection.execute("PRAGMA user_version = \(Schema.version)")
    KillPoint.migrate.before()
    try connection.run("COMMIT")
    KillPoint.migrate.after()
    try connection.execute("PRAGMA legacy_alter_table = OFF; PRAGMA ignore_check_constraints = OFF")
  }

  /// - Returns: whether there was one.
  private static func giveUpBallast(of path: String, _ logger: Logger) -> Bool {
    let ballast = Ballast(logPath: path)
    guard !ballast.isWhole(bytes: 0) else { return false }
    do throws(Ballast.Failure) {
      try ballast.release()
      return true
    } catch {
      logger.warning(
        "the ballast beside the log cannot be changed; it is tried again", metadata: ["error": "\(error)"])
      return false
    }
  }
}

extension Migration {
  fileprivate static let gapsOfVersion1 = """
    CREATE TABLE gaps(
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      started_at INTEGER NOT NULL,  -- microseconds since 1970, UTC: the last data before
      ended_at INTEGER,             -- the first data after; NULL while open
      cause TEXT NOT NULL CHECK (cause IN
        ('closed', 'stale', 'refused', 'shutdown', 'disk_full', 'queue_full', 'crash')),
      streams TEXT NOT NULL         -- JSON array
    )
    """

  /// `gaps` gets `detail` and three causes more. SQLite cannot change a CHECK, so the table is made anew.
  fileprivate static let toVersion2 = """
    ALTER TABLE gaps RENAME TO gaps_before;
    CREATE TABLE gaps(
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      started_at INTEGER NOT NULL,  -- microseconds since 1970, UTC: the last data before
      ended_at INTEGER,             -- the first data after; NULL while open
      cause TEXT NOT NULL CHECK (cause IN ('closed', 'stale', 'refused', 'shutdown', 'disk_full', \
    'queue_full', 'crash', 'frozen', 'unsubscribed', 'sequence')),
      streams TEXT NOT NULL,        -- JSON array
      detail TEXT                   -- JSON: ids that were skipped, the exchange's words; or NULL
    );
    INSERT INTO gaps(id, started_at, ended_at, cause, streams)
      SELECT id, started_at, ended_at, cause, streams FROM gaps_before ORDER BY id;
    DELETE FROM sqlite_sequence WHERE name = 'gaps';
    INSERT INTO sqlite_sequence(name, seq) SELECT 'gaps', seq FROM sqlite_sequence WHERE name = 'gaps_before';
    DROP TABLE gaps_before;
    """
}
