extension TickLog {
  /// Moves a consumer in one transaction; durable when it returns. Nothing of the consumer may be on its way.
  ///
  /// Backwards, its batches are open again, with the range and key that they have, and the ticks behind the new
  /// offset count neither as skipped nor, unless an object is frozen without them, as dead letters. Forwards,
  /// what it passes is recorded as skipped; an open batch stays planned once and for all.
  ///
  /// - Parameter dryRun: does all of it and undoes it.
  /// - Throws: `SeekError`, and then nothing was changed.
  package func seek(_ request: SeekRequest, dryRun: Bool = false) async throws -> SeekOutcome {
    do {
      return try await write { transaction in
        let outcome = try transaction.seek(request)
        if dryRun { throw DryRun(outcome: outcome) }
        return outcome
      }
    } catch let dryRun as DryRun {
      return dryRun.outcome
    }
  }
}

/// The error that a request throws so that it is undone.
private struct DryRun: Error {
  let outcome: SeekOutcome
}

extension WriteTransaction {
  func seek(_ request: SeekRequest) throws -> SeekOutcome {
    let consumers = try connection.consumers()
    guard let consumer = consumers.first(where: { $0.name == request.consumer }) else {
      throw SeekRule.unknown(request.consumer, among: consumers)
    }
    let rule = SeekRule(
      consumer: consumer.name, next: consumer.next, head: head, oldest: try connection.logStart())
    let landing = try rule.landing(
      of: request, in: try connection.batch(of: consumer.name, holding: request.offset))
    var (batches, deadLetters) = (0, 0)
    if landing < consumer.next {
      (batches, deadLetters) = try goBack(consumer, to: landing)
    } else if landing > consumer.next {
      batches = try passOver(consumer, to: landing)
    }
    if landing != consumer.next { try commit(consumer.name, from: consumer.next, next: landing) }
    return SeekOutcome(
      consumer: consumer.name, isEnabled: consumer.isEnabled, requested: request.offset, from: consumer.next,
      to: landing, batches: batches, deadLetters: deadLetters)
  }

  private func goBack(_ consumer: Consumer, to landing: Offset) throws -> (batches: Int, deadLetters: Int) {
    let name = consumer.name
    try refuseLostBatches(of: name, from: landing)
    let passed = max(
      consumer.next.previous.rawValue, try connection.meta(.passed(name)).flatMap { Int64($0) } ?? 0)
    try connection.setMeta(.passed(name), "\(passed)")
    let batches = try connection.reopenBatches(of: name, in: landing...consumer.next.previous)
    try forgetSkipped(of: name, from: landing)
    return (batches, try forgetDeadLetters(of: name, from: landing))
  }

  private func refuseLostBatches(of consumer: ConsumerName, from landing: Offset) throws {
    let last = try connection.lastSkipped(of: consumer, from: landing, why: SkipReason.salvaged)
    guard let last else { return }
    throw SeekError(
      .lostBatches,
      "\(consumer) cannot go back to \(landing): the batches up to \(last) could not be read when the log was salvaged, and cut anew their ticks could be in two objects; from \(last.next) on is possible"
    )
  }

  /// The offsets that the consumer comes to again are not skipped any more, but for single rows that an object is
  /// frozen without.
  private func forgetSkipped(of consumer: ConsumerName, from landing: Offset) throws {
    try connection.cutSkipped(after: landing.previous, of: consumer)
    let rows = try connection.skippedRows(of: consumer, from: landing)
    for row in rows {
      let batch = try connection.batch(of: consumer, holding: row.range.lowerBound)
      if let batch, batch.hasObject, batch.range != row.range,
        batch.range.lowerBound <= row.range.lowerBound, row.range.upperBound <= batch.range.upperBound
      {
        continue
      }
      try connection.deleteSkipped(row: row.row)
    }
  }

  /// - Returns: how many.
  private func forgetDeadLetters(of consumer: ConsumerName, from landing: Offset) throws -> Int {
    let rows = try connection.deadLetterRows(of: consumer, from: landing)
    var count = 0
    for row in rows where try connection.batch(of: consumer, holding: row.offset)?.hasObject != true {
      try connection.deleteDeadLetter(row.id)
      count += 1
    }
    return count
  }

  /// - Returns: how many open batches are passed.
  private func passOver(_ consumer: Consumer, to landing: Offset) throws -> Int {
    let range = consumer.next...landing.previous
    for part in range.without(try connection.skipped(by: consumer.name)) {
      try skip(part, of: consumer.name, why: SkipReason.seek)
    }
    // Its object may be there already: a plan is never forgotten, so that no other object gets its ticks.
    return try connection.endBatches(of: consumer.name, in: range, at: now)
  }
}

extension LogReader {
  /// The highest offset that a consumer ever had behind it, also if it was moved back since.
  package func highestPassed(by consumer: ConsumerName) throws -> Offset {
    try read { connection in
      let next = try connection.next(of: consumer) ?? .first
      let before = try connection.meta(.passed(consumer)).flatMap { Int64($0) }
      return max(next.previous, Offset(rawValue: before ?? 0))
    }
  }
}
