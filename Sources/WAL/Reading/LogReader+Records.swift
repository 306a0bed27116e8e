import Base

extension LogReader {
  /// The list of streams that a feed subscribed to last; `nil` if none ever ran.
  package func lastKnownStreams() throws -> [String]? { try read { try $0.metaList(.streams) } }

  package func head() throws -> Offset {
    try read { try $0.head() }
  }

  /// The oldest tick kept, `nil` in a log without ticks.
  package func oldest() throws -> Offset? {
    try read { try $0.oldestOffset() }
  }

  /// The time at which the first tick at an offset or after it was received, or the last one of all if there is
  /// none; µs since 1970, UTC. `nil` in a log that never had a tick.
  ///
  /// Damaged ticks are passed over: what stands in them may be any time.
  package func receivedAt(from offset: Offset) throws -> Int64? {
    var next = max(offset, try read { try $0.logStart() })
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
      guard let id = try connection.meta(.logID) else { throw LogError(.notALog, "the log has no log_id") }
      return id
    }
  }

  package func meta(_ key: String) throws -> String? {
    try read { try $0.meta(MetaKey<String>(name: key)) }
  }

  /// A list stored with ``WriteTransaction/setMetaList(_:_:)``.
  package func metaList(_ key: String) throws -> [String]? {
    try read { try $0.metaList(MetaKey(name: key)) }
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

  /// The highest offset that any plan of a consumer covers, 0 without plans.
  package func highestPlanned(of consumer: ConsumerName) throws -> Offset {
    let last = try read { try $0.plans(of: consumer, where: "1 ORDER BY first_offset DESC LIMIT 1").first }
    return last?.range.upperBound ?? .zero
  }

  private func plans(
    of consumer: ConsumerName, where condition: String, _ values: SQLiteValue
  ) throws -> [BatchPlan] {
    try read { try $0.plans(of: consumer, where: condition, values) }
  }

  /// Gaps that no data has ended yet, oldest first.
  package func openGaps() throws -> [Gap] {
    try read { try $0.openGaps() }
  }
}
