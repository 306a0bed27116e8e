import Base
import WAL

/// Delivers a range to a store of objects again.
struct ObjectReplay: Sendable {
  let replay: Replay
  let store: any ObjectStore
  let settings: ObjectSettings

  private var reader: LogReader { replay.reader }
  private var range: OffsetRange { replay.range }

  // MARK: Frozen objects

  /// Uploads the frozen objects that hold the range again, under their own keys.
  ///
  /// - Throws: `LogError` with `notFound` if some of the range was never planned, unless that is its end and may be
  ///   left out; nothing is uploaded then.
  func frozen(_ consumer: ConsumerName) async throws -> Replay.Outcome {
    let end = try await requirePlans(of: consumer)
    var outcome = Replay.Outcome()
    if end < range.upperBound {
      outcome.endedEarly = .init(last: end, left: end.distance(to: range.upperBound))
    }
    var next = range.lowerBound
    while next <= end, let plan = try await reader.plan(of: consumer, covering: next) {
      try Task.checkCancellation()
      if plan.rows > 0 { try await upload(plan, &outcome) }
      next = plan.range.upperBound.next
      replay.report(min(plan.range.upperBound, range.upperBound))
    }
    return outcome
  }

  /// - Returns: the last offset of the range that is planned.
  private func requirePlans(of consumer: ConsumerName) async throws -> Offset {
    let oldest = try await reader.oldest() ?? .first
    var next = range.lowerBound
    while next <= range.upperBound {
      guard let plan = try await reader.plan(of: consumer, covering: next) else {
        let isEnd = try await reader.highestPlanned(of: consumer) < next
        if isEnd, replay.mayEndEarlier, next > range.lowerBound { return next.previous }
        throw LogError(
          .notFound,
          "offset \(Figures.grouped(next)) was never planned for \(consumer), so there is no object to upload again; "
            + "use --prefix for copies elsewhere")
      }
      guard plan.range.lowerBound >= oldest else {
        throw LogError(
          .notFound,
          "the object of offsets \(Figures.grouped(plan.range.lowerBound)) to \(Figures.grouped(plan.range.upperBound)) cannot be built again: "
            + "the oldest tick kept is \(Figures.grouped(oldest))")
      }
      next = plan.range.upperBound.next
    }
    return range.upperBound
  }

  private func upload(_ plan: BatchPlan, _ outcome: inout Replay.Outcome) async throws {
    let batch = try await BuiltBatch.rebuild(plan, from: reader, settings: settings)
    guard plan.wasEverPlanned(sha256: batch.sha256) else {
      return outcome.add(
        problem: "\(plan.key): the log no longer gives the content that was planned; left as it is")
    }
    try await upload(batch, key: plan.key, &outcome) { plan.wasEverPlanned(sha256: $0) }
  }

  // MARK: Copies

  /// Uploads copies of the range under the folder of the settings, cut anew.
  func copies() async throws -> Replay.Outcome {
    let logID = try await reader.logID()
    var outcome = Replay.Outcome()
    var next = range.lowerBound
    while next <= range.upperBound {
      try Task.checkCancellation()
      let batch = try await cut(from: next)
      for row in batch.bad { outcome.add(problem: "offset \(Figures.grouped(row.offset)): \(row.cause)") }
      if let receivedAt = batch.firstReceivedAt {
        let key = ObjectKey.batch(
          batch.range, firstReceivedAt: receivedAt, logID: logID, isCompressed: batch.isCompressed,
          settings: settings)
        try await upload(batch, key: key, &outcome) { $0 == batch.sha256 }
      }
      next = batch.range.upperBound.next
      replay.report(batch.range.upperBound)
    }
    return outcome
  }

  private func cut(from first: Offset) async throws -> BuiltBatch {
    var builder = BatchBuilder(first: first, settings: settings)
    var isCut = false
    while !isCut, builder.next <= range.upperBound {
      let page = try await reader.page(
        from: builder.next, through: range.upperBound, maximumTicks: builder.room)
      guard page.range != nil else {
        throw LogError(.notFound, "the log ends before offset \(Figures.grouped(builder.next))")
      }
      isCut = try builder.add(page, respectsLimits: true)
    }
    return builder.finish()
  }

  private func upload(
    _ batch: BuiltBatch, key: String, _ outcome: inout Replay.Outcome, isOurs: (String) -> Bool
  ) async throws {
    let object = NewObject(batch, key: key, logID: try await reader.logID())
    var attempt = 0
    while true {
      let isNew = try await replay.attempts.untilDone("upload", key: key) { try await store.put(object) }
      if isNew {
        outcome.delivered += 1
        return
      }
      let stored = try await replay.attempts.untilDone("look up", key: key) { try await store.stored(key) }
      if let stored {
        if let sha256 = stored.sha256, isOurs(sha256) {
          outcome.alreadyThere += 1
        } else {
          outcome.add(problem: "\(key): something else is stored under this key; left as it is")
        }
        return
      }
      attempt += 1
      try await replay.attempts.pause(afterAttempt: attempt)
    }
  }
}
