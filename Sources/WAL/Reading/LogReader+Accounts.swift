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

  /// The offsets whose ticks were received in a stretch of time, found by halving: where the clock was set
  /// back, the bounds are some of those that fit.
  ///
  /// - Parameter time: microseconds since 1970, UTC.
  /// - Returns: `nil` if the log has none of them.
  package func offsets(receivedIn time: Range<Int64>) throws -> OffsetRange? {
    try read { connection in
      guard let oldest = try connection.oldestOffset() else { return nil }
      let head = try connection.head()
      /// The first offset that was received at a time or after it.
      func first(at time: Int64) throws -> Offset {
        var (low, high) = (oldest, head.next)
        while low < high {
          let middle = low.advanced(by: low.distance(to: high) / 2)
          // A row that is missing is judged by the next one.
          let receivedAt = try connection.receivedAt(from: middle)
          if let receivedAt, receivedAt < time { low = middle.next } else { high = middle }
        }
        return low
      }
      let start = try first(at: time.lowerBound)
      let end = try first(at: time.upperBound).previous
      return start <= end ? start...end : nil
    }
  }
}
