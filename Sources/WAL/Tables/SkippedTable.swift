import Base

extension SQLiteStatement {
  /// The range between the offsets in two columns; of a damaged row, whose second is below the first, the first
  /// alone.
  func range(_ first: Int32, _ last: Int32) -> OffsetRange {
    let start = Offset(rawValue: int(first))
    return start...max(start, Offset(rawValue: int(last)))
  }
}

extension SQLiteConnection {
  /// Records that a range was passed over.
  package func insertSkipped(
    _ range: OffsetRange, of consumer: ConsumerName, why: String, at now: Int64
  ) throws(SQLiteError) {
    try run(
      "INSERT INTO skipped(consumer, first_offset, last_offset, why, created_at) VALUES (?, ?, ?, ?, ?)",
      .text(consumer.rawValue), .int(range.lowerBound.rawValue), .int(range.upperBound.rawValue), .text(why),
      .int(now))
  }

  /// Ranges that a consumer has passed over, in order.
  package func skipped(by consumer: ConsumerName) throws(SQLiteError) -> [OffsetRange] {
    try fetchAll(
      """
      SELECT first_offset, last_offset FROM skipped WHERE consumer = ? AND first_offset <= last_offset
      ORDER BY first_offset
      """, .text(consumer.rawValue)
    ) { $0.range(0, 1) }
  }

  /// The same of a range, cut to it.
  func skipped(by consumer: ConsumerName, in range: OffsetRange) throws(SQLiteError) -> [OffsetRange] {
    try fetchAll(
      """
      SELECT max(first_offset, ?2), min(last_offset, ?3) FROM skipped
      WHERE consumer = ?1 AND first_offset <= ?3 AND last_offset >= ?2 AND first_offset <= last_offset
      ORDER BY first_offset
      """, .text(consumer.rawValue), .int(range.lowerBound.rawValue), .int(range.upperBound.rawValue)
    ) { $0.range(0, 1) }
  }

  func isSkipped(_ offset: Offset, by consumer: ConsumerName) throws(SQLiteError) -> Bool {
    try int(
      "SELECT 1 FROM skipped WHERE consumer = ?1 AND first_offset <= ?2 AND last_offset >= ?2",
      .text(consumer.rawValue), .int(offset.rawValue)) != nil
  }

  /// Lets a range that ends right before an offset end with it.
  /// - Returns: whether there is one.
  func extendSkipped(
    to offset: Offset, of consumer: ConsumerName, why: String
  ) throws(SQLiteError) -> Bool {
    try run(
      "UPDATE skipped SET last_offset = ?2 WHERE consumer = ?1 AND last_offset = ?2 - 1 AND why = ?3",
      .text(consumer.rawValue), .int(offset.rawValue), .text(why))
    return changes > 0
  }

  /// Lets ranges that reach beyond an offset end with it.
  func cutSkipped(after offset: Offset, of consumer: ConsumerName) throws(SQLiteError) {
    try run(
      "UPDATE skipped SET last_offset = ?2 WHERE consumer = ?1 AND first_offset <= ?2 AND last_offset > ?2",
      .text(consumer.rawValue), .int(offset.rawValue))
  }

  func skippedRows(
    of consumer: ConsumerName, from first: Offset
  ) throws(SQLiteError) -> [(row: Int64, range: OffsetRange)] {
    try fetchAll(
      """
      SELECT rowid, first_offset, last_offset FROM skipped
      WHERE consumer = ? AND first_offset >= ? AND first_offset <= last_offset
      """, .text(consumer.rawValue), .int(first.rawValue)
    ) { (row: $0.int(0), range: $0.range(1, 2)) }
  }

  func deleteSkipped(row: Int64) throws(SQLiteError) {
    try run("DELETE FROM skipped WHERE rowid = ?", .int(row))
  }

  /// The last offset from one on that was skipped for a reason.
  func lastSkipped(
    of consumer: ConsumerName, from first: Offset, why: String
  ) throws(SQLiteError) -> Offset? {
    try int(
      "SELECT max(last_offset) FROM skipped WHERE consumer = ? AND last_offset >= ? AND why = ?",
      .text(consumer.rawValue), .int(first.rawValue), .text(why)
    ).map { Offset(rawValue: $0) }
  }

  /// The end of what a salvage has written down as lost, up to an offset; 0 if nothing is. It counts as having been
  /// there.
  func lastLost(through offset: Int64) throws(SQLiteError) -> Int64 {
    try int(
      "SELECT max(last_offset) FROM skipped WHERE consumer = ? AND last_offset <= ?",
      .text(ConsumerName.salvage.rawValue), .int(offset)) ?? 0
  }
}
