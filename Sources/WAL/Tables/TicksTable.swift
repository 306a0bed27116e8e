import Base

extension SQLiteConnection {
  /// Walks over the ticks of a range, in order; the caller steps and resets it.
  package func ticks(from first: Offset, through last: Offset) throws(SQLiteError) -> SQLiteStatement {
    let statement = try statement(
      "SELECT \(TickRow.columns) FROM ticks WHERE offset BETWEEN ? AND ? ORDER BY offset")
    try statement.bind(1, first.rawValue)
    try statement.bind(2, last.rawValue)
    return statement
  }

  /// Finds one tick; the caller binds its offset, steps and resets it.
  package func tickAtOffset() throws(SQLiteError) -> SQLiteStatement {
    try statement("SELECT \(TickRow.columns) FROM ticks WHERE offset = ?")
  }

  /// The rows of ``tickInsertion(isGroup:)`` for many ticks: what SQLite does for a statement is as much as for a row.
  static let tickGroup = 16

  // Without FAIL, SQLite would keep what the pages were like before each statement; after an error the whole transaction
  // is rolled back.
  private static func insertion(of count: Int) -> String {
    let rows = repeatElement("(?, ?, ?, ?, ?, ?)", count: count).joined(separator: ", ")
    return "INSERT OR FAIL INTO ticks(\(TickRow.columns)) VALUES \(rows)"
  }

  private static let insertionOfOne = insertion(of: 1)
  private static let insertionOfGroup = insertion(of: tickGroup)

  /// Inserts a tick, or ``tickGroup`` of them; the caller binds six columns for each, one after the other, and runs it.
  func tickInsertion(isGroup: Bool) throws(SQLiteError) -> SQLiteStatement {
    try statement(isGroup ? Self.insertionOfGroup : Self.insertionOfOne)
  }

  /// Of the rows, also of those that are trimmed but not deleted yet.
  package func firstTick() throws(SQLiteError) -> Offset? {
    try int("SELECT min(offset) FROM ticks").map { Offset(rawValue: $0) }
  }

  package func lastTick() throws(SQLiteError) -> Offset? {
    try int("SELECT max(offset) FROM ticks").map { Offset(rawValue: $0) }
  }

  func firstTick(in range: OffsetRange) throws(SQLiteError) -> Offset? {
    try int(
      "SELECT offset FROM ticks WHERE offset BETWEEN ? AND ? ORDER BY offset LIMIT 1",
      .int(range.lowerBound.rawValue), .int(range.upperBound.rawValue)
    ).map { Offset(rawValue: $0) }
  }

  /// The ticks that are looked at one after the other in one transaction.
  private static let portion = 200_000

  /// The first of the next ticks that was received at a time or after it, and the last one that was looked at;
  /// nil where no more ticks are.
  func ticks(receivedFrom time: Int64, from first: Offset) throws(SQLiteError)
    -> (last: Offset, match: Offset?)?
  {
    try portion(
      """
      SELECT max(offset), min(CASE WHEN received_at >= ?1 THEN offset END) FROM
        (SELECT offset, received_at FROM ticks WHERE offset >= ?2 ORDER BY offset LIMIT \(Self.portion))
      """, time, first)
  }

  /// The same backwards: the last that was received at a time or before it.
  func ticks(receivedUntil time: Int64, downFrom last: Offset) throws(SQLiteError)
    -> (last: Offset, match: Offset?)?
  {
    try portion(
      """
      SELECT min(offset), max(CASE WHEN received_at <= ?1 THEN offset END) FROM
        (SELECT offset, received_at FROM ticks WHERE offset <= ?2 ORDER BY offset DESC LIMIT \(Self.portion))
      """, time, last)
  }

  private func portion(
    _ sql: String, _ time: Int64, _ start: Offset
  ) throws(SQLiteError) -> (last: Offset, match: Offset?)? {
    let found = try fetchOne(sql, .int(time), .int(start.rawValue)) { row in
      (row.optionalInt(0), row.optionalInt(1))
    }
    guard let found, let last = found.0 else { return nil }
    return (Offset(rawValue: last), found.1.map { Offset(rawValue: $0) })
  }

  func deleteTicks(in range: OffsetRange) throws(SQLiteError) {
    try run(
      "DELETE FROM ticks WHERE offset BETWEEN ? AND ?", .int(range.lowerBound.rawValue),
      .int(range.upperBound.rawValue))
  }

  /// Microseconds since 1970, UTC: when the first tick from an offset on was received.
  func receivedAt(from offset: Offset) throws(SQLiteError) -> Int64? {
    try int(
      "SELECT received_at FROM ticks WHERE offset >= ? ORDER BY offset LIMIT 1", .int(offset.rawValue))
  }

  /// The same of the first tick of a range; those on damaged pages are passed over, a few of them one by one.
  func receivedAt(from first: Offset, through head: Offset) throws(SQLiteError) -> Int64? {
    var offset = first
    while offset <= head, first.distance(to: offset) < Self.farthest {
      do throws(SQLiteError) {
        return try receivedAt(from: offset)
      } catch {
        guard error.isCorruption else { throw error }
        offset = offset.next
      }
    }
    return nil
  }

  /// More than lie below one page of the tree.
  private static let farthest = 20_000

  /// Microseconds since 1970, UTC: when the last tick was received, also if it is trimmed by now.
  func lastReceivedAt() throws(SQLiteError) -> Int64? {
    let newest = try int(
      "SELECT received_at FROM ticks WHERE offset > ? ORDER BY offset DESC LIMIT 1",
      .int(try trimmed().rawValue))
    if let newest { return newest }
    return try meta(.lastReceivedAt)
  }
}
