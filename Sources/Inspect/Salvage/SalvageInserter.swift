import Base
import WAL

/// Writes ticks as they were read, with the offsets that they had.
struct SalvageInserter {
  private let copy: SQLiteConnection

  init(_ copy: SQLiteConnection) {
    self.copy = copy
  }

  func insert(_ row: TickRow) throws(SQLiteError) {
    let statement = try copy.statement(
      """
      INSERT OR IGNORE INTO ticks(\(TickRow.columns))
      VALUES (?, ?, ?, ?, ?, ?)
      """)
    try statement.bind(1, row.offset.rawValue)
    try statement.bind(2, row.receivedAt)
    try statement.bind(3, .int(row.eventTime))
    try statement.bindUncopied(4, row.stream)
    try statement.bindUncopied(5, row.payload)
    try statement.bind(6, .int(row.checksum))
    try statement.finish()
  }

  /// - Returns: whether it was missing.
  func insertIfMissing(_ row: TickRow) throws(SQLiteError) -> Bool {
    try insert(row)
    return copy.changes == 1
  }

  /// Keeps what can be read of a damaged row as a dead letter: it is no tick any more.
  func keepDamaged(_ row: TickRow) throws(SQLiteError) {
    try copy.run(
      """
      INSERT INTO dead_letters(offset, consumer, cause, attempts, payload, created_at)
      VALUES (?, ?, 'the row''s checksum is wrong', 0, ?, ?)
      """,
      .int(row.offset.rawValue), .text(ConsumerName.salvage.rawValue), .blob(Array(row.payload)),
      .int(WallClock.now()))
  }
}
