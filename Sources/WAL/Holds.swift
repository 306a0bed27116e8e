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
      try transaction.connection.setHold(Hold(since: transaction.now, why: why), of: consumer)
    }
  }

  /// Notes that it does not wait any more.
  package func release(_ consumer: ConsumerName) async throws {
    try await write { try $0.release(consumer) }
  }
}

extension WriteTransaction {
  func release(_ consumer: ConsumerName) throws(SQLiteError) {
    try connection.removeHold(of: consumer)
  }
}
