/// A dead letter as it lies in the log.
package struct KeptDeadLetter: Sendable, Equatable {
  package struct ID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
    package var description: String { String(rawValue) }
  }

  package let id: ID
  /// Its payload may be cut off, see ``payloadBytes``.
  package let letter: DeadLetter
  /// Of the whole payload.
  package let payloadBytes: Int
  /// Microseconds since 1970, UTC.
  package let createdAt: Int64
}

extension LogReader {
  /// Dead letters, the newest first.
  ///
  /// - Parameters:
  ///   - consumer: whose; `nil` for everybody's.
  ///   - id: only those before this one.
  ///   - payload: how many bytes of each payload to read at most.
  package func deadLetters(
    of consumer: ConsumerName?, before id: KeptDeadLetter.ID = .init(rawValue: .max), atMost count: Int,
    payload: Int
  ) throws -> [KeptDeadLetter] {
    try read { connection in
      // Two queries, so that each finds its index.
      let filter = consumer == nil ? "id < ?1" : "consumer = ?4 AND id < ?1"
      return try connection.deadLetters(
        "\(filter) ORDER BY id DESC LIMIT ?2", payload: Int64(payload),
        [.int(id.rawValue), .int(count), .null] + (consumer.map { [.text($0.rawValue)] } ?? []))
    }
  }

  package func deadLetter(_ id: KeptDeadLetter.ID) throws -> KeptDeadLetter? {
    try read { try $0.deadLetters("id = ?1", payload: .max, [.int(id.rawValue)]).first }
  }

  /// How many there are, by consumer; `feed` for input that is no tick.
  package func deadLetterCounts() throws -> [(consumer: ConsumerName, count: Int)] {
    try read { connection in
      try connection.rows("SELECT consumer, count(*) FROM dead_letters GROUP BY consumer ORDER BY consumer") {
        (ConsumerName(rawValue: $0.text(0)), Int($0.int(1)))
      }
    }
  }
}

extension WriteTransaction {
  /// Takes letters away: their ticks are delivered now, or were never to be.
  package func remove(_ ids: [KeptDeadLetter.ID]) throws {
    for id in ids { try connection.run("DELETE FROM dead_letters WHERE id = ?", .int(id.rawValue)) }
  }

  /// Counts another attempt that failed.
  package func noteAttempt(_ id: KeptDeadLetter.ID, cause: String) throws {
    try connection.run(
      "UPDATE dead_letters SET attempts = attempts + 1, cause = ? WHERE id = ?", .text(cause),
      .int(id.rawValue))
  }

  /// Counts ticks that were not written because their TTL had passed.
  package func addExpired(_ count: Int, to consumer: ConsumerName) throws {
    try connection.run(
      "UPDATE consumers SET expired = expired + ? WHERE name = ?", .int(count), .text(consumer.rawValue))
  }

  /// Gives letters up: a tick is recorded as skipped from then on.
  ///
  /// - Returns: those that there were.
  package func discard(_ ids: [KeptDeadLetter.ID]) throws -> [KeptDeadLetter.ID] {
    try ids.filter { id in
      let letter = try connection.deadLetters("id = ?1", [.int(id.rawValue)]).first
      guard let letter = letter?.letter else { return false }
      try remove([id])
      if let offset = letter.offset { try discard(offset, of: letter.consumer) }
      return true
    }
  }

  private func discard(_ offset: Offset, of consumer: ConsumerName) throws {
    let known = try connection.int(
      "SELECT 1 FROM skipped WHERE consumer = ?1 AND first_offset <= ?2 AND last_offset >= ?2",
      .text(consumer.rawValue), .int(offset.rawValue))
    guard known == nil else { return }
    let batch = try connection.batch(of: consumer, holding: offset)
    if try connection.batch(of: consumer, holding: offset.previous) == batch {
      // One row for neighbours; not across batches, of which a seek may take one back.
      try connection.run(
        "UPDATE skipped SET last_offset = ?2 WHERE consumer = ?1 AND last_offset = ?2 - 1 AND why = ?3",
        .text(consumer.rawValue), .int(offset.rawValue), .text(SkipReason.discarded))
      if connection.changes > 0 { return }
    }
    try skip(offset...offset, of: consumer, why: SkipReason.discarded)
  }
}

extension SQLiteConnection {
  /// - Parameters:
  ///   - payload: how many bytes of each payload to read at most.
  ///   - values: of the condition, which has no ?3.
  fileprivate func deadLetters(
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
    defer { statement.reset() }
    var letters: [KeptDeadLetter] = []
    while try statement.step() {
      letters.append(
        KeptDeadLetter(
          id: KeptDeadLetter.ID(rawValue: statement.int(0)),
          letter: DeadLetter(
            offset: statement.optionalInt(1).map { Offset(rawValue: $0) },
            consumer: ConsumerName(rawValue: statement.text(2)), cause: statement.text(3),
            attempts: Int(statement.int(4)), payload: Array(statement.bytes(5))),
          payloadBytes: Int(statement.int(6)), createdAt: statement.int(7)))
    }
    return letters
  }
}
