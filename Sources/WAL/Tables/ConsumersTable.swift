import Base

extension SQLiteConnection {
  /// By name.
  package func consumers() throws(SQLiteError) -> [Consumer] {
    try fetchAll("SELECT name, next_offset, destination, enabled, expired FROM consumers ORDER BY name") {
      Consumer(
        name: ConsumerName(rawValue: $0.text(0)), next: Offset(rawValue: $0.int(1)), destination: $0.text(2),
        isEnabled: $0.int(3) != 0, expired: Int($0.int(4)))
    }
  }

  func next(of consumer: ConsumerName) throws(SQLiteError) -> Offset? {
    try int("SELECT next_offset FROM consumers WHERE name = ?", .text(consumer.rawValue))
      .map { Offset(rawValue: $0) }
  }

  /// The offset that the slowest of the enabled consumers reads next; `nil` if none is enabled.
  func lowestNext() throws(SQLiteError) -> Offset? {
    try int("SELECT min(next_offset) FROM consumers WHERE enabled").map { Offset(rawValue: $0) }
  }

  func insertConsumer(
    _ name: ConsumerName, next: Offset, destination: String, at now: Int64
  ) throws(SQLiteError) {
    try run(
      """
      INSERT INTO consumers(name, next_offset, destination, updated_at, enabled)
      VALUES (?, ?, ?, ?, 1)
      """, .text(name.rawValue), .int(next.rawValue), .text(destination), .int(now))
  }

  func disableConsumers() throws(SQLiteError) {
    try run("UPDATE consumers SET enabled = 0")
  }

  func enableConsumer(
    _ name: ConsumerName, next: Offset, destination: String, at now: Int64
  ) throws(SQLiteError) {
    try run(
      "UPDATE consumers SET enabled = 1, destination = ?, next_offset = ?, updated_at = ? WHERE name = ?",
      .text(destination), .int(next.rawValue), .int(now), .text(name.rawValue))
  }

  /// - Parameter from: what it must read next until now; `nil` for anything.
  /// - Returns: whether it did.
  func moveConsumer(
    _ name: ConsumerName, from: Offset?, to next: Offset, expired: Int, at now: Int64
  ) throws(SQLiteError) -> Bool {
    try run(
      """
      UPDATE consumers SET next_offset = ?2, expired = expired + ?3, updated_at = ?4
      WHERE name = ?1 AND next_offset = coalesce(?5, next_offset)
      """, .text(name.rawValue), .int(next.rawValue), .int(expired), .int(now), .int(from?.rawValue))
    return changes == 1
  }

  func addExpired(_ count: Int, to name: ConsumerName) throws(SQLiteError) {
    try run("UPDATE consumers SET expired = expired + ? WHERE name = ?", .int(count), .text(name.rawValue))
  }

  /// The standing of each consumer, the enabled ones first.
  func consumerStatus(at now: Int64) throws(SQLiteError) -> [LogStatus.Consumer] {
    let head = try head()
    return try fetchAll(
      """
      SELECT name, next_offset, coalesce(head - next_offset + 1, 0),
        destination, enabled, expired,
        (SELECT count(*) FROM dead_letters WHERE consumer = name),
        (SELECT CAST(total(last_offset - first_offset + 1) AS INTEGER) FROM skipped WHERE consumer = name),
        (SELECT count(*) FROM batches WHERE consumer = name AND state = 'planned'),
        json_extract(hold.value, '$.since'), json_extract(hold.value, '$.why')
      FROM consumers, (SELECT value AS head FROM meta WHERE key = 'head')
        LEFT JOIN meta AS hold ON hold.key = 'held ' || name AND json_valid(hold.value)
      ORDER BY enabled DESC, name
      """
    ) { (row) throws(SQLiteError) in
      let next = Offset(rawValue: row.int(1))
      let isEnabled = row.int(4) != 0
      let since = isEnabled ? try receivedAt(from: next, through: head) : nil
      return LogStatus.Consumer(
        name: ConsumerName(rawValue: row.text(0)), next: next, lag: Int(row.int(2)),
        oldestUnshippedSeconds: since.map { Double(max(0, now.subtractingSaturated($0)) / 1_000) / 1_000 }
          ?? 0,
        destination: row.text(3), isEnabled: isEnabled, expired: Int(row.int(5)),
        deadLetters: Int(row.int(6)), skipped: Int(row.int(7)), openBatches: Int(row.int(8)),
        hold: row.optionalInt(9).map { Hold(since: $0, why: row.optionalText(10) ?? "") })
    }
  }
}
