import Base
import WAL

/// Checks the tables beside the ticks on one snapshot.
struct RecordCheck {
  let connection: SQLiteConnection
  let head: Offset
  let trimmed: Offset
  /// The consumers that this program has.
  let kinds: [ConsumerKind]

  func run(_ problems: inout LogProblems) throws(SQLiteError) {
    for rule in RecordRule.all {
      try tolerating(rule.kind, rule.table, &problems) { (problems) throws(SQLiteError) in
        guard try rule.applies(to: connection) else { return }
        let statement = try connection.statement(rule.query)
        defer { statement.reset() }
        while try statement.step() { problems.add(rule.kind, "\(statement.text(0)) \(rule.says)") }
      }
    }
    try tolerating(.meta, "meta", &problems) { (problems) throws(SQLiteError) in
      for key in ["log_id", "created_at"]
      where try connection.meta(MetaKey<String>(name: key)) == nil {
        problems.add(.meta, "\(key) is missing")
      }
    }
    var consumers: [Consumer] = []
    try tolerating(.consumers, "consumers", &problems) { (_) throws(SQLiteError) in
      consumers = try connection.consumers()
    }
    for consumer in consumers {
      try tolerating(.batches, "batches", &problems) { (problems) throws(SQLiteError) in
        try checkBatches(of: consumer, &problems) { (hole, problems) throws(SQLiteError) in
          try checkDead(hole, of: consumer, &problems)
        }
      }
    }
  }

  /// Damage in one table is a problem, and does not keep the others from being checked.
  private func tolerating(
    _ kind: LogProblem.Kind, _ table: String, _ problems: inout LogProblems,
    _ body: (inout LogProblems) throws(SQLiteError) -> Void
  ) throws(SQLiteError) {
    do throws(SQLiteError) {
      try body(&problems)
    } catch {
      guard error.isCorruption || error.isGeneric else { throw error }
      problems.add(kind, "\(table) cannot be read: \(error.message)")
    }
  }

  /// - Parameter hole: is given what the consumer has passed without a batch.
  func checkBatches(
    of consumer: Consumer, _ problems: inout LogProblems,
    hole: (OffsetRange, inout LogProblems) throws(SQLiteError) -> Void
  ) throws(SQLiteError) {
    let statement = try connection.statement(
      """
      SELECT first_offset, last_offset, rows, key, sha256, state FROM batches WHERE consumer = ?
      ORDER BY first_offset
      """)
    try statement.bind(1, .text(consumer.name.rawValue))
    defer { statement.reset() }
    var hasBatches = kinds.shipsInBatches(consumer.name)
    var check = BatchCheck(
      consumer: consumer.name.rawValue, next: consumer.next, head: head, trimmed: trimmed,
      skipped: try connection.skipped(by: consumer.name))
    while try statement.step() {
      hasBatches = true
      let first = Offset(rawValue: statement.int(0))
      let last = Offset(rawValue: statement.int(1))
      // Said already, by its rule.
      guard Offset.first <= first, first <= last else { continue }
      let batch = BatchCheck.Batch(
        range: first...last, rows: statement.int(2), key: statement.text(3), sha256: statement.text(4),
        isShipped: statement.text(5) == BatchPlan.State.shipped.rawValue)
      for range in check.add(batch, &problems) where hasBatches { try hole(range, &problems) }
    }
    guard hasBatches else { return }
    for range in check.finish() { try hole(range, &problems) }
  }

  private func checkDead(
    _ hole: OffsetRange, of consumer: Consumer, _ problems: inout LogProblems
  ) throws(SQLiteError) {
    guard try connection.deadOffsetCount(of: consumer.name, in: hole) != hole.length else { return }
    problems.add(
      .batches,
      "\(consumer.name) has passed offsets \(Figures.grouped(hole.lowerBound)) to \(Figures.grouped(hole.upperBound)), which are in none of its batches",
      hole)
  }
}
