import Logging
import WAL

/// One step of the object consumer.
enum ObjectDelivery: Sendable {
  /// A batch that was never planned.
  case new(BuiltBatch)
  /// A batch whose plan is from an earlier start, built again.
  case planned(BatchPlan, BuiltBatch)
  /// A batch that was confirmed before, found on the way.
  case shipped
}

/// Uploads batches under their planned keys, so that each offset ends up in exactly one object, whatever
/// crashes in between.
struct ObjectSink: Sink {
  typealias Delivery = ObjectDelivery

  let consumer: ConsumerName
  let settings: ObjectSettings
  let destination: Destination
  let store: any ObjectStore
  /// Opens the place that an older plan was made for; `nil` if that place cannot be reached from here.
  let openStore: @Sendable (Destination) -> (any ObjectStore)?
  let log: TickLog
  let logID: LogID
  let tail: Tail
  let attempts: Attempts
  let marker: LogMarker

  var limit: Int { settings.concurrency }
  var holdsPlaceUntilCommitted: Bool { true }

  func makeSource(reader: LogReader, next: Offset) -> BatchSource {
    BatchSource(reader: reader, consumer: consumer, settings: settings, tail: tail, next: next)
  }

  func deliver(_ delivery: ObjectDelivery) async throws -> Confirmation {
    switch delivery {
    case .shipped: return Confirmation()
    case .new(let batch): return try await upload(batch, as: try await plan(batch))
    case .planned(var plan, let batch):
      if isForeign(plan) {
        if try await isStoredInOldPlace(plan) { return confirm(batch, plan) }
        plan = try await planAnew(batch, insteadOf: plan)
      } else if plan.sha256 != batch.sha256 {
        if try await isStored(plan) { return confirm(batch, plan) }
        plan = try await replan(plan, as: batch)
      }
      return try await upload(batch, as: plan)
    }
  }

  // MARK: Plans

  private func makePlan(_ batch: BuiltBatch) -> BatchPlan {
    BatchPlan(
      consumer: consumer, range: batch.range, destination: destination.json, bucket: store.bucket,
      key: batch.firstReceivedAt.map {
        ObjectKey.batch(batch.range, firstReceivedAt: $0, logID: logID, settings: settings)
      } ?? "",
      rows: batch.rows, sha256: batch.sha256)
  }

  private func plan(_ batch: BuiltBatch) async throws -> BatchPlan {
    let plan = makePlan(batch)
    try await log.write { try $0.plan(plan) }
    marker.planned(plan.range.upperBound)
    return plan
  }

  private func replan(_ plan: BatchPlan, as batch: BuiltBatch) async throws -> BatchPlan {
    try await log.write { try $0.replan(plan, rows: batch.rows, sha256: batch.sha256) }
    var replanned = plan
    replanned.earlierSHA256.append(plan.sha256)
    replanned.sha256 = batch.sha256
    replanned.rows = batch.rows
    return replanned
  }

  /// Whether the plan was made for another destination, or under the `log_id` from before an `adopt`.
  private func isForeign(_ plan: BatchPlan) -> Bool {
    plan.destination != destination.json || !(plan.key.isEmpty || plan.key.contains("-\(logID)-"))
  }

  private func isStoredInOldPlace(_ plan: BatchPlan) async throws -> Bool {
    guard let old = Destination(json: plan.destination), let store = openStore(old) else { return false }
    let stored = try await attempts.untilDone("look up", key: plan.key) { try await store.stored(plan.key) }
    guard let sha256 = stored?.sha256 else { return false }
    return plan.wasEverPlanned(sha256: sha256)
  }

  private func planAnew(_ batch: BuiltBatch, insteadOf old: BatchPlan) async throws -> BatchPlan {
    let plan = makePlan(batch)
    try await log.write { transaction in
      try transaction.removePlan(old)
      try transaction.plan(plan)
    }
    marker.planned(plan.range.upperBound)
    return plan
  }

  // MARK: Uploads

  private func upload(_ batch: BuiltBatch, as plan: BatchPlan) async throws -> Confirmation {
    guard batch.rows > 0 else { return confirm(batch, plan) }
    try await marker.awaitPermission()
    let object = NewObject(
      key: plan.key, body: batch.body, isCompressed: settings.compression != .none, logID: logID,
      range: plan.range, rows: batch.rows, sha256: batch.sha256)
    while true {
      let isNew = try await attempts.untilDone("upload", key: plan.key) { try await store.put(object) }
      if isNew { return confirm(batch, plan) }
      if try await isStored(plan) { return confirm(batch, plan) }
    }
  }

  /// Whether one of our own tries is stored under the key. Something else there holds the consumer: it is
  /// looked at again every minute.
  private func isStored(_ plan: BatchPlan) async throws -> Bool {
    while true {
      let stored = try await attempts.untilDone("look up", key: plan.key) { try await store.stored(plan.key) }
      guard let stored else { return false }
      if let sha256 = stored.sha256, plan.wasEverPlanned(sha256: sha256) { return true }
      attempts.hold(
        "the object's key is taken by something else: shipping to this place is held until it is moved away",
        [
          "key": "\(plan.key)", "bucket": "\(store.bucket)", "planned_sha256": "\(plan.sha256)",
          "stored_sha256": "\(stored.sha256 ?? "none")",
        ])
      try await attempts.pause(.seconds(60))
    }
  }

  private func confirm(_ batch: BuiltBatch, _ plan: BatchPlan) -> Confirmation {
    Confirmation(
      deadLetters: batch.bad.map { row in
        DeadLetter(
          offset: row.offset, consumer: consumer, cause: row.cause, attempts: 0, payload: row.payload)
      },
      bytes: batch.body.count, record: { try $0.markShipped(plan) })
  }
}
