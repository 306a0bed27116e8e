/// Deletes old ticks and what belongs to them, a small transaction at a time.
///
/// First the line is moved: `trimmed` in `meta`, which counts at once for every reader and in one transaction
/// with the plans of the batches before it, so that a batch goes whole, however long it is. Then the rows up to
/// the line are deleted in portions. Rows of plans that are open stay behind the line until those are settled.
struct Trimmer {
  private let connection: SQLiteConnection
  private let step: Int

  /// How far the line moves at a time, and how many rows are deleted in one transaction.
  static let step = 2_000
  /// How many rows between two looks at the clock.
  private static let portion = 250
  /// How long one transaction may go on deleting: rows can be large.
  private static let budget = Duration.milliseconds(4)

  init(_ connection: SQLiteConnection, step: Int) {
    self.connection = connection
    self.step = step
  }

  // MARK: The line

  /// Where the line may be moved to next, `nil` if it stays.
  func boundary(through last: Offset) throws(SQLiteError) -> Offset? {
    let trimmed = try connection.trimmed()
    let consumers = try connection.consumers()
    let all = try boundary(after: trimmed, through: last, whole: consumers)
    // Batches of consumers that took turns may overlap for ever; those of the enabled one count.
    if let all, trimmed.distance(to: all) <= Self.farthest { return all }
    return try boundary(after: trimmed, through: last, whole: consumers.filter(\.isEnabled))
  }

  private static let farthest = 200_000

  private func boundary(
    after trimmed: Offset, through last: Offset, whole consumers: [Consumer]
  ) throws(SQLiteError) -> Offset? {
    try TrimBoundary.next(after: trimmed, through: last, step: step) { (offset) throws(SQLiteError) in
      for consumer in consumers {
        let statement = try connection.statement(
          """
          SELECT first_offset, last_offset FROM batches WHERE consumer = ? AND first_offset <= ?
            AND state = 'shipped' ORDER BY first_offset DESC LIMIT 1
          """)
        try statement.bind([.text(consumer.name.rawValue), .int(offset.rawValue)])
        defer { statement.reset() }
        guard try statement.step(), statement.int(1) > offset.rawValue else { continue }
        return Offset(rawValue: statement.int(0))...Offset(rawValue: statement.int(1))
      }
      return nil
    }
  }

  /// Moves the line, with the shipped plans before it. To be called within a transaction.
  func move(to boundary: Offset, head: Offset) throws(SQLiteError) {
    // A plan behind a gap in a consumer's shipped ones says that its ticks need not be read again.
    try connection.run(
      """
      DELETE FROM batches WHERE consumer IN (SELECT name FROM consumers) AND first_offset <= ?1
        AND last_offset <= ?1 AND state = 'shipped'
        AND last_offset < (SELECT next_offset FROM consumers WHERE name = consumer)
      """, .int(boundary.rawValue))
    if boundary >= head, let last = try connection.lastReceivedAt() {
      try set("last_received_at", last)
    }
    try set("trimmed", boundary.rawValue)
  }

  private func set(_ key: String, _ value: Int64) throws(SQLiteError) {
    try connection.run(
      "INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
      .text(key), .int(value))
  }

  // MARK: Rows

  /// Whether rows before the line are there that no open plan holds.
  func hasRows() throws(SQLiteError) -> Bool {
    let trimmed = try connection.trimmed()
    for range in try free(through: trimmed) where try first(in: range) != nil { return true }
    return false
  }

  /// Deletes some of them. To be called within a transaction.
  ///
  /// - Parameter elapsed: since the transaction began.
  func deleteRows(elapsed: () -> Duration) throws(SQLiteError) {
    var left = step
    for range in try free(through: try connection.trimmed()) {
      while left > 0, elapsed() < Self.budget, let first = try first(in: range) {
        let count = min(Self.portion, left)
        try connection.run(
          "DELETE FROM ticks WHERE offset BETWEEN ? AND ?", .int(first.rawValue),
          .int(min(first.advanced(by: count - 1), range.upperBound).rawValue))
        left -= count
      }
    }
  }

  private func first(in range: OffsetRange) throws(SQLiteError) -> Offset? {
    try connection.int(
      "SELECT offset FROM ticks WHERE offset BETWEEN ? AND ? ORDER BY offset LIMIT 1",
      .int(range.lowerBound.rawValue), .int(range.upperBound.rawValue)
    ).map { Offset(rawValue: $0) }
  }

  /// Everything up to the line but what open plans hold.
  private func free(through trimmed: Offset) throws(SQLiteError) -> [OffsetRange] {
    let statement = try connection.statement(
      """
      SELECT first_offset, last_offset FROM batches WHERE state = 'planned' AND first_offset <= ?
      ORDER BY first_offset
      """)
    try statement.bind([.int(trimmed.rawValue)])
    defer { statement.reset() }
    var ranges: [OffsetRange] = []
    var next = Offset.first
    while try statement.step() {
      let first = Offset(rawValue: statement.int(0))
      if next < first { ranges.append(next...first.previous) }
      next = max(next, Offset(rawValue: statement.int(1)).next)
    }
    if next <= trimmed { ranges.append(next...trimmed) }
    return ranges
  }

  // MARK: Gaps

  /// The highest id of a gap without an open one before it, 0 without gaps.
  func lastEndedGap() throws(SQLiteError) -> Int64 {
    try connection.int(
      "SELECT coalesce((SELECT min(id) FROM gaps WHERE ended_at IS NULL) - 1, max(id), 0) FROM gaps") ?? 0
  }

  /// Deletes ended gaps, but for those that an enabled consumer has yet to tell of, by its note in `meta`; a
  /// note that cannot be understood keeps them all.
  func deleteGaps(through id: Int64) throws(SQLiteError) {
    try connection.run(
      """
      DELETE FROM gaps WHERE id <= ? AND ended_at IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM consumers JOIN meta AS note ON note.key = 'gaps ' || name WHERE enabled AND
          CASE WHEN json_valid(note.value) THEN coalesce(json_extract(note.value, '$.next'), 0) <= gaps.id OR
            gaps.id IN (SELECT each.value FROM json_each(note.value, '$.open') AS each) ELSE 1 END)
      """, .int(id))
  }
}

extension SQLiteConnection {
  /// Everything up to this offset is trimmed; what open plans hold of it is there and counts for them alone.
  package func trimmed() throws(SQLiteError) -> Offset {
    Offset(rawValue: try int("SELECT value FROM meta WHERE key = 'trimmed'") ?? 0)
  }

  /// Microseconds since 1970, UTC: when the last tick was received, also if it is trimmed by now.
  func lastReceivedAt() throws(SQLiteError) -> Int64? {
    let newest = try int(
      "SELECT received_at FROM ticks WHERE offset > ? ORDER BY offset DESC LIMIT 1",
      .int(try trimmed().rawValue))
    if let newest { return newest }
    return try int("SELECT value FROM meta WHERE key = 'last_received_at'")
  }
}
