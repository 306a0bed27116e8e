import Base

extension SQLiteConnection {
  func insertDeadLetter(_ letter: DeadLetter, at now: Int64) throws(SQLiteError) {
    try run(
      """
      INSERT INTO dead_letters(offset, consumer, cause, attempts, payload, created_at)
      VALUES (?, ?, ?, ?, ?, ?)
      """,
      .int(letter.offset?.rawValue), .text(letter.consumer.rawValue), .text(letter.cause),
      .int(letter.attempts), .blob(letter.payload), .int(now))
  }

  /// Keeps so many of a consumer's, the newest.
  func cutDeadLetters(of consumer: ConsumerName, to count: Int) throws(SQLiteError) {
    try run(
      """
      DELETE FROM dead_letters WHERE consumer = ?1 AND id <=
        (SELECT id FROM dead_letters WHERE consumer = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
      """, .text(consumer.rawValue), .int(count))
  }

  func deleteDeadLetter(_ id: KeptDeadLetter.ID) throws(SQLiteError) {
    try run("DELETE FROM dead_letters WHERE id = ?", .int(id.rawValue))
  }

  /// Counts another attempt that failed.
  func countAttempt(of id: KeptDeadLetter.ID, cause: String) throws(SQLiteError) {
    try run(
      "UPDATE dead_letters SET attempts = attempts + 1, cause = ? WHERE id = ?", .text(cause),
      .int(id.rawValue))
  }

  /// - Parameters:
  ///   - condition: and the order; it has no ?3.
  ///   - payload: how many bytes of each payload to read at most.
  ///   - values: of the condition.
  func deadLetters(
    _ condition: String, payload: Int64 = 0, _ values: [SQLiteValue]
  ) throws(SQLiteError) -> [KeptDeadLetter] {
    let statement = try statement(
      """
      SELECT id, offset, consumer, cause, attempts, substr(payload, 1, ?3), length(payload), created_at
      FROM dead_letters WHERE \(condition)
      """)
    try statement.bind(values)
    // SQLite takes it as a number of 32 bits.
    try statement.bind(3, min(payload, Int64(Int32.max)))
    return try statement.fetchAll { row in
      KeptDeadLetter(
        id: KeptDeadLetter.ID(rawValue: row.int(0)),
        letter: DeadLetter(
          offset: row.optionalInt(1).map { Offset(rawValue: $0) },
          consumer: ConsumerName(rawValue: row.text(2)), cause: row.text(3),
          attempts: Int(row.int(4)), payload: Array(row.bytes(5))),
        payloadBytes: Int(row.int(6)), createdAt: row.int(7))
    }
  }

  /// The count of dead letters of each consumer, by name.
  func deadLetterCounts() throws(SQLiteError) -> [(consumer: ConsumerName, count: Int)] {
    try fetchAll("SELECT consumer, count(*) FROM dead_letters GROUP BY consumer ORDER BY consumer") {
      (ConsumerName(rawValue: $0.text(0)), Int($0.int(1)))
    }
  }

  func deadLetterCount(of consumer: ConsumerName) throws(SQLiteError) -> Int {
    Int(try int("SELECT count(*) FROM dead_letters WHERE consumer = ?", .text(consumer.rawValue)) ?? 0)
  }

  /// The offsets of a range that a consumer has as dead letters, in order; each once.
  func deadOffsets(of consumer: ConsumerName, in range: OffsetRange) throws(SQLiteError) -> [Offset] {
    try fetchAll(
      """
      SELECT DISTINCT offset FROM dead_letters WHERE consumer = ? AND offset BETWEEN ? AND ? ORDER BY offset
      """, .text(consumer.rawValue), .int(range.lowerBound.rawValue), .int(range.upperBound.rawValue)
    ) { Offset(rawValue: $0.int(0)) }
  }

  /// The count of offsets of a range that a consumer has as dead letters.
  package func deadOffsetCount(
    of consumer: ConsumerName, in range: OffsetRange
  ) throws(SQLiteError) -> Int {
    Int(
      try int(
        "SELECT count(DISTINCT offset) FROM dead_letters WHERE consumer = ? AND offset BETWEEN ? AND ?",
        .text(consumer.rawValue), .int(range.lowerBound.rawValue), .int(range.upperBound.rawValue)) ?? 0)
  }

  /// A consumer's from an offset on.
  func deadLetterRows(
    of consumer: ConsumerName, from first: Offset
  ) throws(SQLiteError) -> [(id: KeptDeadLetter.ID, offset: Offset)] {
    try fetchAll(
      "SELECT id, offset FROM dead_letters WHERE consumer = ? AND offset >= ?", .text(consumer.rawValue),
      .int(first.rawValue)
    ) { (id: KeptDeadLetter.ID(rawValue: $0.int(0)), offset: Offset(rawValue: $0.int(1))) }
  }

  /// The offsets of a range that a consumer has as dead letters or as skipped, in order.
  func deadOrSkipped(
    of consumer: ConsumerName, in range: OffsetRange
  ) throws(SQLiteError) -> [OffsetRange] {
    try fetchAll(
      """
      SELECT offset, offset FROM dead_letters WHERE consumer = ?1 AND offset BETWEEN ?2 AND ?3
      UNION ALL
      SELECT first_offset, last_offset FROM skipped
      WHERE consumer = ?1 AND first_offset <= ?3 AND last_offset >= ?2 AND first_offset <= last_offset
      ORDER BY 1
      """, .text(consumer.rawValue), .int(range.lowerBound.rawValue), .int(range.upperBound.rawValue)
    ) { $0.range(0, 1) }
  }
}
