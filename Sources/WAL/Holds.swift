/// A consumer waits for the operator.
package struct Hold: Sendable, Equatable {
  /// Microseconds since 1970, UTC.
  package let since: Int64
  /// For people.
  package let why: String

  package init(since: Int64, why: String) {
    self.since = since
    self.why = why
  }
}

extension TickLog {
  /// Notes that a consumer waits for the operator, for those who look at the log alone; durable when it returns.
  ///
  /// The note goes with the consumer's next commit, with ``release(_:)``, and when consumers are enabled.
  package func hold(_ consumer: ConsumerName, why: String) async throws {
    try await write { transaction in
      // Held on, for another reason perhaps, it is held since then.
      try transaction.connection.run(
        """
        INSERT INTO meta(key, value) VALUES ('held ' || ?1, json_object('since', ?2, 'why', ?3))
        ON CONFLICT(key) DO UPDATE SET value = json_object('since',
          CASE WHEN json_valid(value) THEN coalesce(json_extract(value, '$.since'), ?2) ELSE ?2 END, 'why', ?3)
        """, .text(consumer.rawValue), .int(transaction.now), .text(why))
    }
  }

  /// Notes that it does not wait any more.
  package func release(_ consumer: ConsumerName) async throws {
    try await write { try $0.release(consumer) }
  }
}

extension WriteTransaction {
  func release(_ consumer: ConsumerName) throws(SQLiteError) {
    try connection.run("DELETE FROM meta WHERE key = 'held ' || ?", .text(consumer.rawValue))
  }
}
