import Base
import WAL

/// Copies the rows of one table from a damaged log into a new one: from the front as far as it goes, then from the
/// back.
package struct TableCopy: Sendable {
  package let table: String
  package let columns: [String]
  /// Those of the columns that logs of older versions lack.
  let later: [String]
  /// The columns that the table is in order of.
  package let order: [String]

  private init(table: String, columns: [String], later: [String] = [], order: [String]) {
    self.table = table
    self.columns = columns
    self.later = later
    self.order = order
  }

  package static let all = [
    TableCopy(
      table: "consumers",
      columns: ["name", "next_offset", "destination", "updated_at", "enabled", "expired"], order: ["name"]),
    TableCopy(
      table: "batches",
      columns: [
        "consumer", "first_offset", "last_offset", "destination", "bucket", "key", "rows", "sha256",
        "earlier_sha256", "state", "planned_at", "shipped_at",
      ], order: ["consumer", "first_offset"]),
    TableCopy(
      table: "gaps", columns: ["id", "started_at", "ended_at", "cause", "streams", "detail"],
      later: ["detail"],
      order: ["id"]),
    TableCopy(
      table: "dead_letters",
      columns: ["id", "offset", "consumer", "cause", "attempts", "payload", "created_at"], order: ["id"]),
    TableCopy(
      table: "skipped",
      columns: ["rowid", "consumer", "first_offset", "last_offset", "why", "created_at"], order: ["rowid"]),
    TableCopy(table: "meta", columns: ["key", "value"], order: ["key"]),
  ]

  /// The columns that the table has in a log.
  func columns(in connection: SQLiteConnection) throws(SQLiteError) -> [String] {
    guard !later.isEmpty else { return columns }
    let present = try connection.columns(of: table)
    return columns.filter { !later.contains($0) || present.contains($0) }
  }

  struct Outcome {
    var copied = 0
    /// Rows that the new table would not take.
    var refused = 0
    /// Why it was not read to its end; `nil` if it was.
    var damage: String?
  }

  func run(from source: SQLiteConnection, to copy: SQLiteConnection) throws(SQLiteError) -> Outcome {
    var outcome = Outcome()
    for direction in ["ASC", "DESC"] {
      do throws(CopyError) {
        try walk(direction, source, copy, &outcome)
        return outcome
      } catch {
        switch error {
        case .target(let error): throw error
        case .source(let error):
          guard error.isCorruption || error.isGeneric else { throw error }
          outcome.damage = error.message
        }
      }
    }
    return outcome
  }

  /// An error, with the side whose fault it was.
  private enum CopyError: Error {
    case source(SQLiteError)
    case target(SQLiteError)
  }

  private func walk(
    _ direction: String, _ source: SQLiteConnection, _ copy: SQLiteConnection, _ outcome: inout Outcome
  ) throws(CopyError) {
    let columns = try blaming(CopyError.source) { () throws(SQLiteError) -> [String] in
      try self.columns(in: source)
    }
    let names = columns.joined(separator: ", ")
    let places = columns.map { _ in "?" }.joined(separator: ", ")
    let order = order.map { "\($0) \(direction)" }.joined(separator: ", ")
    let insert = try blaming(CopyError.target) { () throws(SQLiteError) in
      try copy.prepare("INSERT OR IGNORE INTO \(table)(\(names)) VALUES (\(places))")
    }
    let rows = try blaming(CopyError.source) { () throws(SQLiteError) in
      try source.prepare("SELECT \(names) FROM \(table) ORDER BY \(order)")
    }
    while try blaming(CopyError.source, { () throws(SQLiteError) in try rows.step() }) {
      let values = columns.indices.map { rows.value(Int32($0)) }
      let isTaken = try blaming(CopyError.target) { () throws(SQLiteError) in
        do throws(SQLiteError) {
          try insert.bind(values)
          try insert.finish()
          return copy.changes == 1
        } catch {
          guard error.isConstraint else { throw error }
          return false
        }
      }
      if isTaken { outcome.copied += 1 }
      // From the back, what came from the front already is refused as well.
      if !isTaken, outcome.damage == nil { outcome.refused += 1 }
    }
  }

  private func blaming<T>(
    _ whom: (SQLiteError) -> CopyError, _ body: () throws(SQLiteError) -> T
  ) throws(CopyError) -> T {
    do throws(SQLiteError) {
      return try body()
    } catch {
      throw whom(error)
    }
  }
}
