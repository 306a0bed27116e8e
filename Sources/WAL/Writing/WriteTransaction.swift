import Base
import CSQLite

/// What may be written inside one group commit. Exists only during the closure given to
/// ``TickLog/write(_:)``, on the writer's thread.
///
/// Nothing done here is durable before the call to `write` has returned.
package final class WriteTransaction {
  let connection: SQLiteConnection
  /// Microseconds since 1970, UTC: when the group began.
  let now: Int64
  /// With the ticks of the group that came before; `meta` has it when all of the group is written.
  var head: Offset
  /// Whether a gap was opened or closed.
  private(set) var hasChangedGaps = false

  init(_ connection: SQLiteConnection, head: Offset, now: Int64) {
    self.connection = connection
    self.head = head
    self.now = now
  }

  // MARK: Meta

  package func setMeta(_ key: String, _ value: String) throws {
    try connection.run(
      "INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
      .text(key), .text(value))
  }

  package func meta(_ key: String) throws -> String? {
    try connection.text("SELECT value FROM meta WHERE key = ?", .text(key))
  }

  package func removeMeta(_ key: String) throws {
    try connection.run("DELETE FROM meta WHERE key = ?", .text(key))
  }

  // MARK: Consumers

  /// Moves a consumer's committed offset.
  ///
  /// - Parameters:
  ///   - from: what it must be until now.
  ///   - expired: how many ticks it passed without writing them because their TTL was over.
  /// - Throws: `LogError` with `consumerMoved` if it is another one.
  package func commit(
    _ consumer: ConsumerName, from: Offset? = nil, next: Offset, expired: Int = 0
  ) throws {
    try connection.run(
      """
      UPDATE consumers SET next_offset = ?2, expired = expired + ?3, updated_at = ?4
      WHERE name = ?1 AND next_offset = coalesce(?5, next_offset)
      """,
      .text(consumer.rawValue), .int(next.rawValue), .int(expired), .int(now), .int(from?.rawValue))
    guard connection.changes == 1 else {
      let stored = try connection.int(
        "SELECT next_offset FROM consumers WHERE name = ?", .text(consumer.rawValue))
      guard let stored else { throw LogError(.notFound, "there is no consumer \(consumer) in the log") }
      throw LogError(
        .consumerMoved,
        "what \(consumer) has confirmed ends at \(next.previous), but begins at \(from ?? .none), and it reads \(stored) next"
      )
    }
    try release(consumer)
  }

  /// Records that a range was passed over.
  package func skip(_ range: OffsetRange, of consumer: ConsumerName, why: String) throws {
    try connection.run(
      "INSERT INTO skipped(consumer, first_offset, last_offset, why, created_at) VALUES (?, ?, ?, ?, ?)",
      .text(consumer.rawValue), .int(range.lowerBound.rawValue), .int(range.upperBound.rawValue), .text(why),
      .int(now))
  }

  // MARK: Batches

  /// Writes a plan down.
  ///
  /// - Throws: if another plan of the consumer covers any of its offsets; that one keeps its range and key.
  package func plan(_ plan: BatchPlan) throws {
    let last = try connection.int(
      """
      SELECT last_offset FROM batches WHERE consumer = ? AND first_offset <= ?
      ORDER BY first_offset DESC LIMIT 1
      """, .text(plan.consumer.rawValue), .int(plan.range.upperBound.rawValue))
    if let last, last >= plan.range.lowerBound.rawValue {
      throw LogError(
        .alreadyPlanned,
        "\(plan.consumer) has a plan for offsets in \(plan.range.lowerBound) to \(plan.range.upperBound)")
    }
    try connection.run(
      """
      INSERT INTO batches(consumer, first_offset, last_offset, destination, bucket, key, rows, sha256,
        earlier_sha256, state, planned_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'planned', ?)
      """,
      .text(plan.consumer.rawValue), .int(plan.range.lowerBound.rawValue),
      .int(plan.range.upperBound.rawValue), .text(plan.destination), .text(plan.bucket), .text(plan.key),
      .int(plan.rows), .text(plan.sha256), .text(JSONText.array(plan.earlierSHA256)), .int(now))
  }

  /// Writes down that the batch's text came out differently, keeping every hash planned before.
  package func replan(_ plan: BatchPlan, rows: Int, sha256: String) throws {
    var earlier = plan.earlierSHA256
    if !earlier.contains(plan.sha256) { earlier.append(plan.sha256) }
    earlier.removeAll { $0 == sha256 }
    try connection.run(
      """
      UPDATE batches SET rows = ?, sha256 = ?, earlier_sha256 = ?
      WHERE consumer = ? AND first_offset = ? AND state = 'planned'
      """,
      .int(rows), .text(sha256), .text(JSONText.array(earlier)), .text(plan.consumer.rawValue),
      .int(plan.range.lowerBound.rawValue))
    try requireOneRow(plan)
  }

  /// Marks a batch as confirmed by its sink.
  package func markShipped(_ plan: BatchPlan) throws {
    try connection.run(
      "UPDATE batches SET state = 'shipped', shipped_at = ? WHERE consumer = ? AND first_offset = ?",
      .int(now), .text(plan.consumer.rawValue), .int(plan.range.lowerBound.rawValue))
    try requireOneRow(plan)
  }

  /// Forgets a plan that was never uploaded, so that its range can be cut anew.
  package func removePlan(_ plan: BatchPlan) throws {
    try connection.run(
      "DELETE FROM batches WHERE consumer = ? AND first_offset = ? AND state = 'planned'",
      .text(plan.consumer.rawValue), .int(plan.range.lowerBound.rawValue))
    try requireOneRow(plan)
  }

  private func requireOneRow(_ plan: BatchPlan) throws {
    guard connection.changes == 1 else {
      throw LogError(
        .notFound, "there is no open plan of \(plan.consumer) at offset \(plan.range.lowerBound)")
    }
  }

  // MARK: Gaps

  /// - Parameter startedAt: microseconds since 1970, UTC: the last data received.
  package func openGap(startedAt: Int64, cause: Gap.Cause, streams: [String]) throws -> Gap.ID {
    try connection.run(
      "INSERT INTO gaps(started_at, cause, streams) VALUES (?, ?, ?)",
      .int(startedAt), .text(cause.rawValue), .text(JSONText.array(streams)))
    hasChangedGaps = true
    return Gap.ID(rawValue: connection.lastInsertedRow)
  }

  /// - Parameter endedAt: microseconds since 1970, UTC: the first data received after it.
  package func closeGap(_ id: Gap.ID, endedAt: Int64) throws {
    try connection.run(
      "UPDATE gaps SET ended_at = max(started_at, ?) WHERE id = ? AND ended_at IS NULL", .int(endedAt),
      .int(id.rawValue))
    hasChangedGaps = true
  }

  // MARK: Dead letters

  /// Keeps ticks of one consumer, in order, but for those that it has as dead letters or as skipped already: a
  /// frozen batch that is delivered again lacks the same rows.
  package func add(_ letters: [DeadLetter], of consumer: ConsumerName) throws {
    let offsets = letters.compactMap(\.offset)
    guard let first = offsets.min(), let last = offsets.max() else { return }
    let known = try connection.rows(
      """
      SELECT offset, offset FROM dead_letters WHERE consumer = ?1 AND offset BETWEEN ?2 AND ?3
      UNION ALL
      SELECT first_offset, last_offset FROM skipped
      WHERE consumer = ?1 AND first_offset <= ?3 AND last_offset >= ?2 AND first_offset <= last_offset
      ORDER BY 1
      """, .text(consumer.rawValue), .int(first.rawValue), .int(last.rawValue)
    ) { Offset(rawValue: $0.int(0))...Offset(rawValue: $0.int(1)) }
    var rest = known[...]
    for letter in letters {
      guard let offset = letter.offset else { continue }
      while let range = rest.first, range.upperBound < offset { rest.removeFirst() }
      if let range = rest.first, range.contains(offset) { continue }
      try add(letter)
    }
  }

  package func add(_ letter: DeadLetter) throws {
    try connection.run(
      """
      INSERT INTO dead_letters(offset, consumer, cause, attempts, payload, created_at)
      VALUES (?, ?, ?, ?, ?, ?)
      """,
      .int(letter.offset?.rawValue), .text(letter.consumer.rawValue), .text(letter.cause),
      .int(letter.attempts), .blob(letter.payload), .int(now))
  }

  /// Keeps input that is no tick: the newest 10,000 of it.
  func add(_ rejected: [RejectedInput]) throws {
    for input in rejected {
      try add(
        DeadLetter(offset: nil, consumer: .feed, cause: input.cause, attempts: 1, payload: input.payload))
    }
    try connection.run(
      """
      DELETE FROM dead_letters WHERE consumer = 'feed' AND id <=
        (SELECT id FROM dead_letters WHERE consumer = 'feed' ORDER BY id DESC LIMIT 1 OFFSET ?)
      """, .int(WriteTransaction.keptRejects))
  }

  static let keptRejects = 10_000
}
