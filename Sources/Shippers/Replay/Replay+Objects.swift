import AWS
import Base
import WAL

extension Replay {
  /// Uploads the frozen objects that hold the range again, under their own keys.
  ///
  /// - Throws: `LogError` with `notFound` if some of the range was never planned; nothing is uploaded then.
  package func objects(to client: AWSClient, bucket: String, _ settings: ObjectSettings) async throws
    -> Outcome
  {
    try await frozen(.s3, S3Store(client: S3Client(client), bucket: bucket), settings)
  }

  /// Uploads copies of the range under another folder, cut anew.
  package func copies(to client: AWSClient, bucket: String, _ settings: ObjectSettings) async throws
    -> Outcome
  {
    try await copies(S3Store(client: S3Client(client), bucket: bucket), settings)
  }

  package func objects(toFolder folder: String, _ settings: ObjectSettings) async throws -> Outcome {
    try await frozen(.localS3, try LocalObjectStore(root: folder + "/objects"), settings)
  }

  package func copies(toFolder folder: String, _ settings: ObjectSettings) async throws -> Outcome {
    try await copies(try LocalObjectStore(root: folder + "/objects"), settings)
  }

  // MARK: Frozen objects

  private func frozen(
    _ consumer: ConsumerName, _ store: any ObjectStore, _ settings: ObjectSettings
  ) async throws -> Outcome {
    try await requirePlans(of: consumer)
    var outcome = Outcome()
    var next = range.lowerBound
    while next <= range.upperBound, let plan = try await reader.plan(of: consumer, covering: next) {
      try Task.checkCancellation()
      if plan.rows > 0 { try await replay(plan, store, settings, &outcome) }
      next = plan.range.upperBound.next
      report(min(plan.range.upperBound, range.upperBound))
    }
    return outcome
  }

  private func requirePlans(of consumer: ConsumerName) async throws {
    let oldest = try await reader.oldest() ?? .first
    var next = range.lowerBound
    while next <= range.upperBound {
      guard let plan = try await reader.plan(of: consumer, covering: next) else {
        throw LogError(
          .notFound,
          "offset \(next) was never planned for \(consumer), so there is no object to upload again; "
            + "use --prefix for copies elsewhere")
      }
      guard plan.range.lowerBound >= oldest else {
        throw LogError(
          .notFound,
          "the object of offsets \(plan.range.lowerBound) to \(plan.range.upperBound) cannot be built again: "
            + "the oldest tick kept is \(oldest)")
      }
      next = plan.range.upperBound.next
    }
  }

  private func replay(
    _ plan: BatchPlan, _ store: any ObjectStore, _ settings: ObjectSettings, _ outcome: inout Outcome
  ) async throws {
    let batch = try await BuiltBatch.rebuild(plan, from: reader, settings: settings)
    guard plan.wasEverPlanned(sha256: batch.sha256) else {
      return outcome.add(
        problem: "\(plan.key): the log no longer gives the content that was planned; left as it is")
    }
    try await upload(batch, key: plan.key, store, &outcome) { plan.wasEverPlanned(sha256: $0) }
  }

  // MARK: Copies

  private func copies(_ store: any ObjectStore, _ settings: ObjectSettings) async throws -> Outcome {
    let logID = try await reader.logID()
    var outcome = Outcome()
    var next = range.lowerBound
    while next <= range.upperBound {
      try Task.checkCancellation()
      let batch = try await cut(from: next, settings)
      for row in batch.bad { outcome.add(problem: "offset \(row.offset): \(row.cause)") }
      if let receivedAt = batch.firstReceivedAt {
        let key = ObjectKey.batch(
          batch.range, firstReceivedAt: receivedAt, logID: logID, isCompressed: batch.isCompressed,
          settings: settings)
        try await upload(batch, key: key, store, &outcome) { $0 == batch.sha256 }
      }
      next = batch.range.upperBound.next
      report(batch.range.upperBound)
    }
    return outcome
  }

  private func cut(from first: Offset, _ settings: ObjectSettings) async throws -> BuiltBatch {
    var builder = BatchBuilder(first: first, settings: settings)
    var isCut = false
    while !isCut, builder.next <= range.upperBound {
      let page = try await reader.page(
        from: builder.next, through: range.upperBound, maximumTicks: builder.room)
      guard page.range != nil else { throw LogError(.notFound, "the log ends before offset \(builder.next)") }
      isCut = try builder.add(page, respectsLimits: true)
    }
    return builder.finish()
  }

  private func upload(
    _ batch: BuiltBatch, key: String, _ store: any ObjectStore, _ outcome: inout Outcome,
    isOurs: (String) -> Bool
  ) async throws {
    let object = NewObject(batch, key: key, logID: try await reader.logID())
    var attempt = 0
    while true {
      let isNew = try await attempts.untilDone("upload", key: key) { try await store.put(object) }
      if isNew {
        outcome.delivered += 1
        return
      }
      let stored = try await attempts.untilDone("look up", key: key) { try await store.stored(key) }
      if let stored {
        if let sha256 = stored.sha256, isOurs(sha256) {
          outcome.alreadyThere += 1
        } else {
          outcome.add(problem: "\(key): something else is stored under this key; left as it is")
        }
        return
      }
      attempt += 1
      try await attempts.pause(afterAttempt: attempt)
    }
  }
}
