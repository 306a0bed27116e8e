import Base

extension LogReader {
  package func head() throws -> Offset {
    try read { try $0.head() }
  }

  /// The oldest tick kept, `nil` in a log without ticks.
  package func oldest() throws -> Offset? {
    try read { try $0.oldestOffset() }
  }

  /// When the first tick at an offset or after it was received, or the last one of all if there is none; µs since
  /// 1970, UTC. `nil` in a log that never had a tick.
  ///
  /// Damaged ticks are passed over: what stands in them may be any time.
  package func receivedAt(from offset: Offset) throws -> Int64? {
    var next = max(offset, try read { try $0.trimmed().next })
    let end = next.advanced(by: Self.damageToPass)
    while next < end {
      let page = try page(from: next, maximumTicks: 100)
      if let tick = page.ticks.entries.first { return tick.receivedAt }
      guard let range = page.range else { break }
      next = range.upperBound.next
    }
    return try read { try $0.lastReceivedAt() }
  }

  /// Ticks; more than lie below one page of the table's tree.
  private static let damageToPass = 20_000

  package func logID() throws -> LogID {
    try read { connection in
      guard let id = try connection.text("SELECT value FROM meta WHERE key = 'log_id'") else {
        throw LogError(.notALog, "the log has no log_id")
      }
      return LogID(rawValue: id)
    }
  }

  package func meta(_ key: String) throws -> String? {
    try read { try $0.text("SELECT value FROM meta WHERE key = ?", .text(key)) }
  }

  /// A list stored with ``WriteTransaction/setMetaList(_:_:)``.
  package func metaList(_ key: String) throws -> [String]? {
    try read { connection in
      guard let text = try connection.text("SELECT value FROM meta WHERE key = ?", .text(key)) else {
        return nil
      }
      return try connection.elements(ofJSON: text)
    }
  }

  package func consumers() throws -> [Consumer] {
    try read { try $0.consumers() }
  }

  /// The plan that covers an offset.
  package func plan(of consumer: ConsumerName, covering offset: Offset) throws -> BatchPlan? {
    try plans(
      of: consumer, where: "first_offset <= ?2 AND last_offset >= ?2 ORDER BY first_offset DESC LIMIT 1",
      .int(offset.rawValue)
    ).first
  }

  /// The first plan that starts at an offset or after it.
  package func plan(of consumer: ConsumerName, from offset: Offset) throws -> BatchPlan? {
    try plans(
      of: consumer, where: "first_offset >= ?2 ORDER BY first_offset LIMIT 1", .int(offset.rawValue)
    ).first
  }

  /// Every plan that was not confirmed yet, in order.
  package func openPlans(of consumer: ConsumerName) throws -> [BatchPlan] {
    try plans(of: consumer, where: "state = 'planned' ORDER BY first_offset")
  }

  /// The highest offset that any plan of a consumer covers, `none` without plans.
  package func highestPlanned(of consumer: ConsumerName) throws -> Offset {
    try plans(of: consumer, where: "1 ORDER BY first_offset DESC LIMIT 1").first?.range.upperBound ?? .none
  }

  func plans(
    of consumer: ConsumerName, where condition: String, _ values: SQLiteValue...
  ) throws -> [BatchPlan] {
    try read { connection in
      let statement = try connection.statement(
        """
        SELECT first_offset, last_offset, destination, bucket, key, rows, sha256, earlier_sha256, state
        FROM batches WHERE consumer = ?1 AND \(condition)
        """)
      try statement.bind([.text(consumer.rawValue)] + values)
      defer { statement.reset() }
      var plans: [BatchPlan] = []
      while try statement.step() {
        let first = Offset(rawValue: statement.int(0))
        let last = Offset(rawValue: statement.int(1))
        guard first <= last, let state = BatchPlan.State(rawValue: statement.text(8)) else {
          throw LogError(.failed, "the plan of \(consumer) at offset \(first) is damaged")
        }
        plans.append(
          BatchPlan(
            consumer: consumer, range: first...last, destination: statement.text(2),
            bucket: statement.text(3), key: statement.text(4), rows: Int(statement.int(5)),
            sha256: statement.text(6), earlierSHA256: try connection.elements(ofJSON: statement.text(7)),
            state: state))
      }
      return plans
    }
  }

  /// Gaps that no data has ended yet, oldest first.
  package func openGaps() throws -> [Gap] {
    try read { try $0.openGaps() }
  }
}

extension WriteTransaction {
  /// Stores a list of texts as a JSON array.
  package func setMetaList(_ key: String, _ list: [String]) throws {
    try setMeta(key, JSONText.array(list))
  }

  package func openGaps() throws -> [Gap] { try connection.openGaps() }

  package func logID() throws -> LogID {
    guard let id = try meta("log_id") else { throw LogError(.notALog, "the log has no log_id") }
    return LogID(rawValue: id)
  }
}

extension SQLiteConnection {
  func elements(ofJSON text: String) throws(SQLiteError) -> [String] {
    let statement = try statement("SELECT value FROM json_each(?)")
    try statement.bind([.text(text)])
    defer { statement.reset() }
    var elements: [String] = []
    while try statement.step() { elements.append(statement.text(0)) }
    return elements
  }

  func openGaps() throws(SQLiteError) -> [Gap] {
    let statement = try statement(
      "SELECT id, started_at, cause, streams FROM gaps WHERE ended_at IS NULL ORDER BY id")
    defer { statement.reset() }
    var gaps: [Gap] = []
    while try statement.step() {
      gaps.append(
        Gap(
          id: Gap.ID(rawValue: statement.int(0)), startedAt: statement.int(1), endedAt: nil,
          cause: Gap.Cause(rawValue: statement.text(2)) ?? .closed,
          streams: try elements(ofJSON: statement.text(3))))
    }
    return gaps
  }
}
