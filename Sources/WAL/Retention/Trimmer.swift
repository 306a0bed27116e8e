/// Deletes old ticks and what belongs to them, a small transaction at a time.
///
/// First the log start offset is moved: `trimmed` in `meta`, which counts at once for every reader and in one
/// transaction with the plans of the batches before it, so that a batch goes whole, however long it is. Then the
/// rows before the log start offset are deleted in portions. Rows of plans that are open stay there until those
/// are settled.
struct Trimmer {
  private let connection: SQLiteConnection
  private let step: Int

  /// The ticks by which the log start offset moves at a time, and the rows that are deleted in one transaction.
  static let step = 2_000
  /// The rows between two looks at the clock.
  private static let portion = 250
  /// The time that one transaction may go on deleting: rows can be large.
  private static let budget = Duration.milliseconds(4)

  init(_ connection: SQLiteConnection, step: Int) {
    self.connection = connection
    self.step = step
  }

  // MARK: The log start offset

  /// The offset behind which the log start offset may be moved next, `nil` if it stays.
  func boundary(through last: Offset) throws(SQLiteError) -> Offset? {
    let trimmed = try connection.trimmed()
    let consumers = try connection.consumers()
    let all = try boundary(after: trimmed, through: last, whole: consumers)
    // Batches of consumers that took turns may overlap for ever; those of the enabled one count.
    if let all, trimmed.distance(to: all) <= Self.farthest { return all }
    return try boundary(after: trimmed, through: last, whole: consumers.filter(\.isEnabled))
  }

  private static let farthest = 200_000

  private func boundary(
    after trimmed: Offset, through last: Offset, whole consumers: [Consumer]
  ) throws(SQLiteError) -> Offset? {
    try TrimBoundary.next(after: trimmed, through: last, step: step) { (offset) throws(SQLiteError) in
      for consumer in consumers {
        if let batch = try connection.shippedBatch(of: consumer.name, reachingOver: offset) { return batch }
      }
      return nil
    }
  }

  /// Moves the log start offset behind `boundary`, with the shipped plans before it. To be called within
  /// a transaction.
  func move(to boundary: Offset, head: Offset) throws(SQLiteError) {
    try connection.deleteShippedPlans(through: boundary)
    if boundary >= head, let last = try connection.lastReceivedAt() {
      try connection.setMeta(.lastReceivedAt, last)
    }
    try connection.setMeta(.trimmed, boundary)
  }

  // MARK: Rows

  /// Whether rows before the log start offset are there that no open plan holds.
  func hasRows() throws(SQLiteError) -> Bool {
    let trimmed = try connection.trimmed()
    for range in try free(through: trimmed) where try connection.firstTick(in: range) != nil { return true }
    return false
  }

  /// Deletes some of them. To be called within a transaction.
  ///
  /// - Parameters:
  ///   - divisor: of the usual number of rows.
  ///   - elapsed: since the transaction began.
  func deleteRows(dividedBy divisor: Int, elapsed: () -> Duration) throws(SQLiteError) {
    var left = max(1, step / divisor)
    for range in try free(through: try connection.trimmed()) {
      while left > 0, elapsed() < Self.budget, let first = try connection.firstTick(in: range) {
        let count = min(Self.portion, left)
        try connection.deleteTicks(in: first...min(first.advanced(by: count - 1), range.upperBound))
        left -= count
      }
    }
  }

  /// Everything before the log start offset but what open plans hold.
  private func free(through trimmed: Offset) throws(SQLiteError) -> [OffsetRange] {
    var ranges: [OffsetRange] = []
    var next = Offset.first
    for open in try connection.openRanges(through: trimmed) {
      if next < open.first { ranges.append(next...open.first.previous) }
      next = max(next, open.last.next)
    }
    if next <= trimmed { ranges.append(next...trimmed) }
    return ranges
  }
}
