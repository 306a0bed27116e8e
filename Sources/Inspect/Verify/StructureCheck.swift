import WAL

/// Lets SQLite check its own pages and lists, and compares the tables with those of a new log, or of one of the
/// older version that the log says it is of.
struct StructureCheck {
  let connection: SQLiteConnection

  /// Of SQLite's own lines, so that there is room for what they mean to the ticks.
  private static let lines = 20

  func run(_ problems: inout LogProblems) throws(SQLiteError) {
    do throws(SQLiteError) {
      try compareSchema(&problems)
    } catch {
      guard error.isCorruption || error.isGeneric else { throw error }
      problems.add(.schema, "the schema cannot be read: \(error.message)")
    }
    do throws(SQLiteError) {
      // Reference: https://www.sqlite.org/pragma.html#pragma_integrity_check
      let statement = try connection.prepare("PRAGMA integrity_check(\(Self.lines))")
      while try statement.step() {
        let text = statement.text(0)
        guard text != "ok" else { continue }
        for line in text.split(separator: "\n") where !line.hasPrefix("***") {
          problems.add(.structure, String(line))
        }
      }
    } catch {
      guard error.isCorruption || error.isGeneric else { throw error }
      problems.add(.structure, error.message)
    }
  }

  private func compareSchema(_ problems: inout LogProblems) throws(SQLiteError) {
    let model = try SQLiteConnection(path: ":memory:", access: .create)
    try model.execute(Schema.tables + Schema.views)
    var expected = try Self.objects(of: model)
    try model.close()
    let version = Int32(try connection.int("PRAGMA user_version") ?? 0)
    if !Migration.isKnown(version) {
      problems.add(.schema, "its version reads \(version), not \(Schema.version)")
    }
    for (name, sql) in Migration.tables(ofVersion: version) {
      expected[name] = Object(isView: false, sql: sql)
    }
    for name in Migration.missingViews(ofVersion: version) { expected[name] = nil }
    let found = try Self.objects(of: connection)
    for (name, object) in expected.sorted(by: { $0.key < $1.key }) {
      // A view is for people: it needs to work and no more.
      if object.isView, found[name]?.isView == true {
        do throws(SQLiteError) {
          _ = try connection.prepare("SELECT * FROM \"\(name)\"")
        } catch {
          problems.add(.schema, "the view \(name) does not work: \(error.message)")
        }
      } else if found[name] != object {
        problems.add(.schema, "\(name) is \(found[name] == nil ? "missing" : "not as tickwal makes it")")
      }
    }
  }

  private struct Object: Equatable {
    let isView: Bool
    let sql: String
  }

  private static func objects(of connection: SQLiteConnection) throws(SQLiteError) -> [String: Object] {
    let statement = try connection.prepare(
      "SELECT name, type, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\'"
    )
    var objects: [String: Object] = [:]
    while try statement.step() {
      objects[statement.text(0)] = Object(isView: statement.text(1) == "view", sql: statement.text(2))
    }
    return objects
  }
}
