import Base

/// The writes that are allowed inside one group commit. Exists only during the closure given to
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
  /// The causes of gaps begun, and the dead letters added, for the metrics: they count once the group is durable.
  private(set) var begunGaps: [Gap.Cause] = []
  private(set) var addedLetters: [ConsumerName: Int] = [:]

  init(_ connection: SQLiteConnection, head: Offset, now: Int64) {
    self.connection = connection
    self.head = head
    self.now = now
  }

  // MARK: Meta

  package func setMeta(_ key: String, _ value: String) throws {
    try connection.setMeta(MetaKey(name: key), value)
  }

  package func meta(_ key: String) throws -> String? {
    try connection.meta(MetaKey<String>(name: key))
  }

  package func removeMeta(_ key: String) throws {
    try connection.removeMeta(key)
  }

  /// Stores a list of texts as a JSON array.
  package func setMetaList(_ key: String, _ list: [String]) throws {
    try connection.setMeta(MetaKey(name: key), MetaList(list))
  }

  package func logID() throws -> LogID {
    guard let id = try connection.meta(.logID) else { throw LogError(.notALog, "the log has no log_id") }
    return id
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
    guard try connection.moveConsumer(consumer, from: from, to: next, expired: expired, at: now) else {
      guard let stored = try connection.next(of: consumer) else {
        throw LogError(.notFound, "there is no consumer \(consumer) in the log")
      }
      throw LogError(
        .consumerMoved,
        "what \(consumer) has confirmed ends at \(next.previous), but begins at \(from ?? .zero), and it reads \(stored) next"
      )
    }
    try release(consumer)
  }

  /// Records that a range was passed over.
  package func skip(_ range: OffsetRange, of consumer: ConsumerName, why: String) throws {
    try connection.insertSkipped(range, of: consumer, why: why, at: now)
  }

  // MARK: Batches

  /// Writes a plan down.
  ///
  /// - Throws: if another plan of the consumer covers any of its offsets; that one keeps its range and key.
  package func plan(_ plan: BatchPlan) throws {
    let last = try connection.lastPlanned(of: plan.consumer, through: plan.range.upperBound)
    if let last, last >= plan.range.lowerBound {
      throw LogError(
        .alreadyPlanned,
        "\(plan.consumer) has a plan for offsets in \(plan.range.lowerBound) to \(plan.range.upperBound)")
    }
    try connection.insertPlan(plan, at: now)
  }

  /// Writes down that the batch's text came out differently, keeping every hash planned before.
  package func replan(_ plan: BatchPlan, rows: Int, sha256: String) throws {
    var earlier = plan.earlierSHA256
    if !earlier.contains(plan.sha256) { earlier.append(plan.sha256) }
    earlier.removeAll { $0 == sha256 }
    try require(connection.updatePlan(plan, rows: rows, sha256: sha256, earlier: earlier), plan)
  }

  /// Marks a batch as confirmed by its sink.
  package func markShipped(_ plan: BatchPlan) throws {
    try require(connection.setShipped(plan, at: now), plan)
  }

  /// Forgets a plan that was never uploaded, so that its range can be cut anew.
  package func removePlan(_ plan: BatchPlan) throws {
    try require(connection.deletePlan(plan), plan)
  }

  private func require(_ isThere: Bool, _ plan: BatchPlan) throws(LogError) {
    guard isThere else {
      throw LogError(
        .notFound,
        "there is no open plan of \(plan.consumer) at offset \(Figures.grouped(plan.range.lowerBound))")
    }
  }

  // MARK: Gaps

  /// Writes the beginning of a gap.
  ///
  /// - Parameters:
  ///   - startedAt: microseconds since 1970, UTC: the last data received.
  ///   - detail: JSON, as in ``Gap/detail``.
  package func openGap(
    startedAt: Int64, cause: Gap.Cause, streams: [String], detail: String? = nil
  ) throws -> Gap.ID {
    let id = try connection.insertGap(startedAt: startedAt, cause: cause, streams: streams, detail: detail)
    begunGaps.append(cause)
    hasChangedGaps = true
    return id
  }

  /// Writes a gap whose beginning and end are both known.
  ///
  /// - Parameters:
  ///   - startedAt: microseconds since 1970, UTC: the last data before it.
  ///   - endedAt: the same for the first data after it; one before the beginning counts as the beginning.
  ///   - detail: JSON, as in ``Gap/detail``.
  package func addGap(
    startedAt: Int64, endedAt: Int64, cause: Gap.Cause, streams: [String], detail: String? = nil
  ) throws -> Gap.ID {
    let id = try connection.insertGap(
      startedAt: startedAt, endedAt: endedAt, cause: cause, streams: streams, detail: detail)
    begunGaps.append(cause)
    hasChangedGaps = true
    return id
  }

  /// Moves the end of a gap that has ended already, and writes its detail anew. Enabled consumers that have told of
  /// it tell of it again.
  ///
  /// - Parameters:
  ///   - endedAt: microseconds since 1970, UTC; one before the present end leaves that as it is.
  ///   - detail: JSON, in place of what is there.
  /// - Throws: `LogError` with `notFound` if there is no such gap, or it is open.
  package func extendGap(_ id: Gap.ID, endedAt: Int64, detail: String?) throws {
    guard try connection.extendGap(id, to: endedAt, detail: detail) else {
      throw LogError(.notFound, "there is no gap \(id.rawValue) that has ended")
    }
    try connection.tellAgain(of: id)
    hasChangedGaps = true
  }

  /// Takes a gap's end back. Enabled consumers that have told of it tell of it again when it has ended anew.
  ///
  /// - Returns: `false` if it is not kept any more.
  func reopenGap(_ id: Gap.ID) throws -> Bool {
    guard try connection.reopenGap(id) else { return false }
    try connection.tellAgain(of: id)
    hasChangedGaps = true
    return true
  }

  /// - Parameter endedAt: microseconds since 1970, UTC: the first data received after it.
  package func closeGap(_ id: Gap.ID, endedAt: Int64) throws {
    try connection.endGap(id, at: endedAt)
    hasChangedGaps = true
  }

  /// A gap as it is now; `nil` if it is not kept.
  package func gap(_ id: Gap.ID) throws -> Gap? { try connection.gap(id) }

  /// Gaps that no data has ended yet, oldest first.
  package func openGaps() throws -> [Gap] { try connection.openGaps() }

  // MARK: Dead letters

  /// Keeps ticks of one consumer, in order, but for those that it has as dead letters or as skipped already: a
  /// frozen batch that is delivered again lacks the same rows.
  package func add(_ letters: [DeadLetter], of consumer: ConsumerName) throws {
    let offsets = letters.compactMap(\.offset)
    guard let first = offsets.min(), let last = offsets.max() else { return }
    let known = try connection.deadOrSkipped(of: consumer, in: first...last)
    var rest = known[...]
    for letter in letters {
      guard let offset = letter.offset else { continue }
      while let range = rest.first, range.upperBound < offset { rest.removeFirst() }
      if let range = rest.first, range.contains(offset) { continue }
      try add(letter)
    }
  }

  package func add(_ letter: DeadLetter) throws {
    try connection.insertDeadLetter(letter, at: now)
    addedLetters[letter.consumer, default: 0] += 1
  }

  /// What a request has counted that is undone.
  func restore(_ counted: Counted) {
    begunGaps.removeSubrange(counted.gaps...)
    addedLetters = counted.letters
  }

  var counted: Counted { Counted(gaps: begunGaps.count, letters: addedLetters) }

  struct Counted {
    let gaps: Int
    let letters: [ConsumerName: Int]
  }

  /// Keeps input that is no tick: the newest 10,000 of the owner's, so that an import pushes nothing of the feed's out.
  func add(_ rejected: [RejectedInput], of owner: ConsumerName) throws {
    for input in rejected {
      try add(
        DeadLetter(offset: nil, consumer: owner, cause: input.cause, attempts: 1, payload: input.payload))
    }
    try connection.cutDeadLetters(of: owner, to: WriteTransaction.keptRejects)
  }

  package static let keptRejects = 10_000
}
