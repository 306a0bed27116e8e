import Base

extension SQLiteConnection {
  // MARK: Plans

  /// - Parameters:
  ///   - condition: on the rows of the consumer, and their order; its values are ?2 and so on.
  ///   - values: of the condition.
  /// - Throws: `LogError` with `failed` for a plan that cannot be.
  func plans(
    of consumer: ConsumerName, where condition: String, _ values: SQLiteValue...
  ) throws -> [BatchPlan] {
    let rows = try fetchAll(
      """
      SELECT first_offset, last_offset, destination, bucket, key, rows, sha256, earlier_sha256, state
      FROM batches WHERE consumer = ?1 AND \(condition)
      """, [.text(consumer.rawValue)] + values
    ) { (row) throws(SQLiteError) in
      let first = Offset(rawValue: row.int(0))
      let last = Offset(rawValue: row.int(1))
      guard first <= last, let state = BatchPlan.State(rawValue: row.text(8)) else {
        return (first: first, plan: BatchPlan?.none)
      }
      let plan = BatchPlan(
        consumer: consumer, range: first...last, destination: row.text(2), bucket: row.text(3),
        key: row.text(4), rows: Int(row.int(5)), sha256: row.text(6),
        earlierSHA256: try elements(ofJSON: row.text(7)), state: state)
      return (first, plan)
    }
    return try rows.map { row throws(LogError) in
      guard let plan = row.plan else {
        throw LogError(.failed, "the plan of \(consumer) at offset \(Figures.grouped(row.first)) is damaged")
      }
      return plan
    }
  }

  /// The end of the last plan that begins at an offset or before.
  func lastPlanned(of consumer: ConsumerName, through offset: Offset) throws(SQLiteError) -> Offset? {
    try int(
      """
      SELECT last_offset FROM batches WHERE consumer = ? AND first_offset <= ?
      ORDER BY first_offset DESC LIMIT 1
      """, .text(consumer.rawValue), .int(offset.rawValue)
    ).map { Offset(rawValue: $0) }
  }

  func insertPlan(_ plan: BatchPlan, at now: Int64) throws(SQLiteError) {
    try run(
      """
      INSERT INTO batches(consumer, first_offset, last_offset, destination, bucket, key, rows, sha256,
        earlier_sha256, state, planned_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'planned', ?)
      """,
      .text(plan.consumer.rawValue), .int(plan.range.lowerBound.rawValue),
      .int(plan.range.upperBound.rawValue), .text(plan.destination), .text(plan.bucket), .text(plan.key),
      .int(plan.rows), .text(plan.sha256), .text(JSONText.array(plan.earlierSHA256)), .int(now))
  }

  /// Inserts a batch that is done and has no object, for a range that is not read.
  func insertEmptyBatch(
    _ range: OffsetRange, of consumer: ConsumerName, destination: String, at now: Int64
  ) throws(SQLiteError) {
    try run(
      """
      INSERT INTO batches(consumer, first_offset, last_offset, destination, bucket, key, rows, sha256, state,
        planned_at, shipped_at) VALUES (?, ?, ?, ?, '', '', 0, '', 'shipped', ?, ?)
      """, .text(consumer.rawValue), .int(range.lowerBound.rawValue), .int(range.upperBound.rawValue),
      .text(destination), .int(now), .int(now))
  }

  /// - Returns: whether the plan is there and open.
  func updatePlan(
    _ plan: BatchPlan, rows: Int, sha256: String, earlier: [String]
  ) throws(SQLiteError) -> Bool {
    try run(
      """
      UPDATE batches SET rows = ?, sha256 = ?, earlier_sha256 = ?
      WHERE consumer = ? AND first_offset = ? AND state = 'planned'
      """, .int(rows), .text(sha256), .text(JSONText.array(earlier)), .text(plan.consumer.rawValue),
      .int(plan.range.lowerBound.rawValue))
    return changes == 1
  }

  /// - Returns: whether the plan is there.
  func setShipped(_ plan: BatchPlan, at now: Int64) throws(SQLiteError) -> Bool {
    try run(
      "UPDATE batches SET state = 'shipped', shipped_at = ? WHERE consumer = ? AND first_offset = ?",
      .int(now), .text(plan.consumer.rawValue), .int(plan.range.lowerBound.rawValue))
    return changes == 1
  }

  /// - Returns: whether the plan was there and open.
  func deletePlan(_ plan: BatchPlan) throws(SQLiteError) -> Bool {
    try run(
      "DELETE FROM batches WHERE consumer = ? AND first_offset = ? AND state = 'planned'",
      .text(plan.consumer.rawValue), .int(plan.range.lowerBound.rawValue))
    return changes == 1
  }

  /// The ranges of a consumer's plans from an offset on, shipped ones too, in order.
  func plannedRanges(
    of consumer: ConsumerName, from first: Offset
  ) throws(SQLiteError) -> [OffsetRange] {
    try fetchAll(
      """
      SELECT first_offset, last_offset FROM batches WHERE consumer = ? AND last_offset >= ?
      ORDER BY first_offset
      """, .text(consumer.rawValue), .int(first.rawValue)
    ) { $0.range(0, 1) }
  }

  // MARK: Seeking

  /// The batch of a consumer that holds an offset.
  func batch(of consumer: ConsumerName, holding offset: Offset) throws(SQLiteError) -> SeekRule.Batch? {
    try fetchOne(
      """
      SELECT first_offset, last_offset, state = 'planned', key <> '' FROM batches
      WHERE consumer = ? AND first_offset <= ? ORDER BY first_offset DESC LIMIT 1
      """, .text(consumer.rawValue), .int(offset.rawValue)
    ) {
      $0.int(1) < offset.rawValue
        ? nil : SeekRule.Batch(range: $0.range(0, 1), isOpen: $0.int(2) != 0, hasObject: $0.int(3) != 0)
    } ?? nil
  }

  /// Opens the shipped batches that begin in a range.
  /// - Returns: how many.
  func reopenBatches(of consumer: ConsumerName, in range: OffsetRange) throws(SQLiteError) -> Int {
    try run(
      """
      UPDATE batches SET state = 'planned', shipped_at = NULL
      WHERE consumer = ? AND first_offset BETWEEN ? AND ? AND state = 'shipped'
      """, .text(consumer.rawValue), .int(range.lowerBound.rawValue), .int(range.upperBound.rawValue))
    return changes
  }

  /// Ends the open batches that begin in a range.
  /// - Returns: how many.
  func endBatches(of consumer: ConsumerName, in range: OffsetRange, at now: Int64) throws(SQLiteError) -> Int
  {
    try run(
      """
      UPDATE batches SET state = 'shipped', shipped_at = ?
      WHERE consumer = ? AND first_offset BETWEEN ? AND ? AND state = 'planned'
      """, .int(now), .text(consumer.rawValue), .int(range.lowerBound.rawValue),
      .int(range.upperBound.rawValue))
    return changes
  }

  // MARK: Trimming

  /// The end of the open plan that holds an offset, of any consumer.
  func lastHeld(with offset: Offset) throws(SQLiteError) -> Offset? {
    try int(
      """
      SELECT max(last_offset) FROM batches
      WHERE state = 'planned' AND first_offset <= ?1 AND last_offset >= ?1
      """, .int(offset.rawValue)
    ).map { Offset(rawValue: $0) }
  }

  /// The ends of the open plans that begin at an offset or before, in order.
  func openRanges(through offset: Offset) throws(SQLiteError) -> [(first: Offset, last: Offset)] {
    try fetchAll(
      """
      SELECT first_offset, last_offset FROM batches WHERE state = 'planned' AND first_offset <= ?
      ORDER BY first_offset
      """, .int(offset.rawValue)
    ) { (first: Offset(rawValue: $0.int(0)), last: Offset(rawValue: $0.int(1))) }
  }

  /// The shipped batch of a consumer that begins at an offset or before, and ends after it.
  func shippedBatch(
    of consumer: ConsumerName, reachingOver offset: Offset
  ) throws(SQLiteError) -> OffsetRange? {
    try fetchOne(
      """
      SELECT first_offset, last_offset FROM batches WHERE consumer = ? AND first_offset <= ?
        AND state = 'shipped' ORDER BY first_offset DESC LIMIT 1
      """, .text(consumer.rawValue), .int(offset.rawValue)
    ) { $0.int(1) > offset.rawValue ? $0.range(0, 1) : nil } ?? nil
  }

  /// Forgets the shipped plans up to an offset that their consumers are past.
  func deleteShippedPlans(through offset: Offset) throws(SQLiteError) {
    // A plan behind a gap in a consumer's shipped ones says that its ticks need not be read again.
    try run(
      """
      DELETE FROM batches WHERE consumer IN (SELECT name FROM consumers) AND first_offset <= ?1
        AND last_offset <= ?1 AND state = 'shipped'
        AND last_offset < (SELECT next_offset FROM consumers WHERE name = consumer)
      """, .int(offset.rawValue))
  }
}
