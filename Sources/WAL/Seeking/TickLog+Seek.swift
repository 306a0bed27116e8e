extension TickLog {
  /// Moves a consumer in one transaction; durable when it returns. Nothing of the consumer may be on its way.
  ///
  /// Backwards, its batches are open again, with the range and key that they have, and the ticks behind the new
  /// offset count neither as skipped nor, unless an object is frozen without them, as dead letters. Forwards,
  /// what it passes is recorded as skipped; an open batch stays planned once and for all.
  ///
  /// - Parameter dryRun: does all of it and undoes it.
  /// - Throws: `SeekError`, and then nothing was changed.
  package func seek(_ request: SeekRequest, dryRun: Bool = false) async throws -> SeekOutcome {
    do {
      return try await write { transaction in
        let outcome = try transaction.seek(request)
        if dryRun { throw DryRun(outcome: outcome) }
        return outcome
      }
    } catch let dryRun as DryRun {
      return dryRun.outcome
    }
  }
}

/// What a request throws is undone.
private struct DryRun: Error {
  let outcome: SeekOutcome
}

extension WriteTransaction {
  func seek(_ request: SeekRequest) throws -> SeekOutcome {
    let consumers = try connection.consumers()
    guard let consumer = consumers.first(where: { $0.name == request.consumer }) else {
      throw SeekRule.unknown(request.consumer, among: consumers)
    }
    let rule = SeekRule(
      consumer: consumer.name, next: consumer.next, head: head, oldest: try connection.trimmed().next)
    let landing = try rule.landing(
      of: request, in: try connection.batch(of: consumer.name, holding: request.offset))
    var (batches, deadLetters) = (0, 0)
    if landing < consumer.next {
      (batches, deadLetters) = try goBack(consumer, to: landing)
    } else if landing > consumer.next {
      batches = try passOver(consumer, to: landing)
    }
    if landing != consumer.next { try commit(consumer.name, from: consumer.next, next: landing) }
    return SeekOutcome(
      consumer: consumer.name, isEnabled: consumer.isEnabled, requested: request.offset, from: consumer.next,
      to: landing, batches: batches, deadLetters: deadLetters)
  }

  private func goBack(_ consumer: Consumer, to landing: Offset) throws -> (batches: Int, deadLetters: Int) {
    let name = consumer.name
    try refuseLostBatches(of: name, from: landing)
    let passed = max(consumer.next.previous.rawValue, try meta(name.passedKey).flatMap { Int64($0) } ?? 0)
    try setMeta(name.passedKey, "\(passed)")
    try connection.run(
      """
      UPDATE batches SET state = 'planned', shipped_at = NULL
      WHERE consumer = ? AND first_offset BETWEEN ? AND ? AND state = 'shipped'
      """,
      .text(name.rawValue), .int(landing.rawValue), .int(consumer.next.previous.rawValue))
    let batches = connection.changes
    try forgetSkipped(of: name, from: landing)
    return (batches, try forgetDeadLetters(of: name, from: landing))
  }

  private func refuseLostBatches(of consumer: ConsumerName, from landing: Offset) throws {
    let last = try connection.int(
      "SELECT max(last_offset) FROM skipped WHERE consumer = ? AND last_offset >= ? AND why = ?",
      .text(consumer.rawValue), .int(landing.rawValue), .text(SkipReason.salvaged))
    guard let last = last.map({ Offset(rawValue: $0) }) else { return }
    throw SeekError(
      .lostBatches,
      "\(consumer) cannot go back to \(landing): the batches up to \(last) could not be read when the log was salvaged, and cut anew their ticks could be in two objects; from \(last.next) on is possible"
    )
  }

  /// What the consumer comes to again is not skipped any more, but for single rows that an object is frozen
  /// without.
  private func forgetSkipped(of consumer: ConsumerName, from landing: Offset) throws {
    try connection.run(
      "UPDATE skipped SET last_offset = ?2 WHERE consumer = ?1 AND first_offset <= ?2 AND last_offset > ?2",
      .text(consumer.rawValue), .int(landing.previous.rawValue))
    let rows = try connection.rows(
      """
      SELECT rowid, first_offset, last_offset FROM skipped
      WHERE consumer = ? AND first_offset >= ? AND first_offset <= last_offset
      """,
      .text(consumer.rawValue), .int(landing.rawValue)
    ) { (id: $0.int(0), range: Offset(rawValue: $0.int(1))...Offset(rawValue: $0.int(2))) }
    for row in rows {
      let batch = try connection.batch(of: consumer, holding: row.range.lowerBound)
      if let batch, batch.hasObject, batch.range != row.range,
        batch.range.lowerBound <= row.range.lowerBound, row.range.upperBound <= batch.range.upperBound
      {
        continue
      }
      try connection.run("DELETE FROM skipped WHERE rowid = ?", .int(row.id))
    }
  }

  /// - Returns: how many.
  private func forgetDeadLetters(of consumer: ConsumerName, from landing: Offset) throws -> Int {
    let rows = try connection.rows(
      "SELECT id, offset FROM dead_letters WHERE consumer = ? AND offset >= ?", .text(consumer.rawValue),
      .int(landing.rawValue)
    ) { (id: $0.int(0), offset: Offset(rawValue: $0.int(1))) }
    var count = 0
    for row in rows where try connection.batch(of: consumer, holding: row.offset)?.hasObject != true {
      try connection.run("DELETE FROM dead_letters WHERE id = ?", .int(row.id))
      count += 1
    }
    return count
  }

  /// - Returns: how many open batches are passed.
  private func passOver(_ consumer: Consumer, to landing: Offset) throws -> Int {
    let range = consumer.next...landing.previous
    for part in range.without(try connection.skipped(by: consumer.name)) {
      try skip(part, of: consumer.name, why: SkipReason.seek)
    }
    // Its object may be there already: a plan is never forgotten, so that no other object gets its ticks.
    try connection.run(
      """
      UPDATE batches SET state = 'shipped', shipped_at = ?
      WHERE consumer = ? AND first_offset BETWEEN ? AND ? AND state = 'planned'
      """,
      .int(now), .text(consumer.name.rawValue), .int(range.lowerBound.rawValue),
      .int(range.upperBound.rawValue))
    return connection.changes
  }
}

extension ConsumerName {
  /// Under which `meta` has the highest offset that it had behind it before it was moved back.
  fileprivate var passedKey: String { "passed \(self)" }
}

extension LogReader {
  /// The highest offset that a consumer ever had behind it, also if it was moved back since.
  package func highestPassed(by consumer: ConsumerName) throws -> Offset {
    try read { connection in
      let next = try connection.int(
        "SELECT next_offset FROM consumers WHERE name = ?", .text(consumer.rawValue))
      let before = try connection.text("SELECT value FROM meta WHERE key = ?", .text(consumer.passedKey))
      return Offset(rawValue: max((next ?? 1) - 1, before.flatMap { Int64($0) } ?? 0))
    }
  }
}

extension SQLiteConnection {
  /// The batch of a consumer that holds an offset.
  func batch(of consumer: ConsumerName, holding offset: Offset) throws(SQLiteError) -> SeekRule.Batch? {
    let statement = try statement(
      """
      SELECT first_offset, last_offset, state = 'planned', key <> '' FROM batches
      WHERE consumer = ? AND first_offset <= ? ORDER BY first_offset DESC LIMIT 1
      """)
    try statement.bind([.text(consumer.rawValue), .int(offset.rawValue)])
    defer { statement.reset() }
    guard try statement.step(), statement.int(1) >= offset.rawValue else { return nil }
    return SeekRule.Batch(
      range: Offset(rawValue: statement.int(0))...Offset(rawValue: statement.int(1)),
      isOpen: statement.int(2) != 0, hasObject: statement.int(3) != 0)
  }

  /// All rows of a query whose answer is short.
  func rows<T>(
    _ sql: String, _ values: SQLiteValue..., row: (SQLiteStatement) throws(SQLiteError) -> T
  ) throws(SQLiteError) -> [T] {
    let statement = try statement(sql)
    try statement.bind(values)
    defer { statement.reset() }
    var rows: [T] = []
    while try statement.step() { rows.append(try row(statement)) }
    return rows
  }
}
