extension SQLiteConnection {
  /// Ranges that a consumer has passed over, in order.
  package func skipped(by consumer: ConsumerName) throws(SQLiteError) -> [OffsetRange] {
    let statement = try statement(
      """
      SELECT first_offset, last_offset FROM skipped WHERE consumer = ? AND first_offset <= last_offset
      ORDER BY first_offset
      """)
    try statement.bind(1, .text(consumer.rawValue))
    defer { statement.reset() }
    var ranges: [OffsetRange] = []
    while try statement.step() {
      ranges.append(Offset(rawValue: statement.int(0))...Offset(rawValue: statement.int(1)))
    }
    return ranges
  }

  /// The end of what a salvage has written down as lost, up to an offset; 0 if nothing is. It counts as having been
  /// there.
  func lastLost(through offset: Int64) throws(SQLiteError) -> Int64 {
    try int(
      "SELECT max(last_offset) FROM skipped WHERE consumer = ? AND last_offset <= ?",
      .text(ConsumerName.salvage.rawValue), .int(offset)) ?? 0
  }
}
