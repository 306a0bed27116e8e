/// The log's account of what became of offsets, for comparing it with what is at the destinations.
extension LogReader {
  /// The next plans that hold an offset of a range, in order.
  ///
  /// - Parameter count: the most to return.
  package func plans(of consumer: ConsumerName, in range: OffsetRange, atMost count: Int) throws
    -> [BatchPlan]
  {
    // Plans do not overlap, so at most one that begins before the range reaches into it.
    let reaching = try plan(of: consumer, covering: range.lowerBound)
    let first = reaching?.range.upperBound.next ?? range.lowerBound
    let others = try read {
      try $0.plans(
        of: consumer, where: "first_offset BETWEEN ?2 AND ?3 ORDER BY first_offset LIMIT ?4",
        .int(first.rawValue), .int(range.upperBound.rawValue), .int(reaching == nil ? count : count - 1))
    }
    return (reaching.map { [$0] } ?? []) + others
  }

  /// The offsets of a range that a consumer has as dead letters, in order; each once.
  package func deadOffsets(of consumer: ConsumerName, in range: OffsetRange) throws -> [Offset] {
    try read { try $0.deadOffsets(of: consumer, in: range) }
  }

  /// The count of offsets of a range that a consumer has as dead letters.
  package func deadLetterCount(of consumer: ConsumerName, in range: OffsetRange) throws -> Int {
    try read { try $0.deadOffsetCount(of: consumer, in: range) }
  }

  /// The offsets of a range that a consumer passed over, cut to the range, in order.
  package func skipped(of consumer: ConsumerName, in range: OffsetRange) throws -> [OffsetRange] {
    try read { try $0.skipped(by: consumer, in: range) }
  }

  /// The first offset whose tick was received at a time or after it, found by looking at one after the other: the
  /// clock may have been set. Portion by portion, so that no read transaction lasts long.
  ///
  /// - Parameter time: microseconds since 1970, UTC.
  /// - Returns: `nil` if the log has none.
  package func firstOffset(receivedFrom time: Int64) throws -> Offset? {
    var next = try read { try $0.logStart() }
    while let portion = try read({ try $0.ticks(receivedFrom: time, from: next) }) {
      if let match = portion.match { return match }
      next = portion.last.next
    }
    return nil
  }

  /// The last offset whose tick was received at a time or before it, likewise.
  package func lastOffset(receivedUntil time: Int64) throws -> Offset? {
    var (next, start) = try read { (try $0.head(), try $0.logStart()) }
    while next >= start, let portion = try read({ try $0.ticks(receivedUntil: time, downFrom: next) }) {
      if let match = portion.match { return match >= start ? match : nil }
      next = portion.last.previous
      start = max(start, try read { try $0.logStart() })
    }
    return nil
  }
}
