import Base
import Logging
import WAL

/// One step of the object consumer.
enum ObjectDelivery: Sendable {
  /// A batch that was never planned.
  case new(CutBatch)
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
  let address: String
  let store: any ObjectStore
  /// Opens the place that an older plan was made for; `nil` if that place cannot be reached from here.
  let openStore: @Sendable (_ address: String) throws -> (any ObjectStore)?
  let log: TickLog
  let logID: LogID
  let tail: Tail
  let attempts: Attempts
  let lease: Lease

  var limit: Int { settings.concurrency }
  // A plan is open until the transaction that marks it shipped.
  var uncommittedLimit: Int { settings.concurrency }
  // A batch that waits holds 4 MiB of its text, or its body.
  var readAhead: Int { 2 }
  // A place among the uploads is held for two commits as well: packing must not take its time from it.
  var preparesAhead: Bool { true }

  func makeSource(reader: LogReader, next: Offset) -> BatchSource {
    BatchSource(reader: reader, consumer: consumer, settings: settings, tail: tail, next: next)
  }

  func prepare(_ delivery: ObjectDelivery) async throws {
    if case .new(let batch) = delivery { _ = try await batch.pack() }
  }

  func deliver(_ delivery: ObjectDelivery) async throws -> Confirmation {
    switch delivery {
    case .shipped: return Confirmation()
    case .new(let batch):
      try await lease.acquire()
      let built = try await batch.pack()
      return try await upload(built, as: try await plan(built))
    case .planned(let plan, let batch):
      try await lease.acquire()
      return try await resume(plan, batch)
    }
  }

  private func resume(_ plan: BatchPlan, _ batch: BuiltBatch) async throws -> Confirmation {
    if isForeign(plan) {
      if let sha256 = try await storedInOldPlace(plan) { return confirm(batch, plan, stored: sha256) }
      return try await upload(batch, as: try await planAnew(batch, insteadOf: plan))
    }
    guard plan.sha256 != batch.sha256 else { return try await upload(batch, as: plan) }
    // Planned without rows and so without a key, and now it has some.
    if plan.key.isEmpty { return try await upload(batch, as: try await planAnew(batch, insteadOf: plan)) }
    if let sha256 = try await stored(plan) { return confirm(batch, plan, stored: sha256) }
    return try await upload(batch, as: try await replan(plan, as: batch))
  }

  // MARK: Plans

  private func makePlan(_ batch: BuiltBatch) -> BatchPlan {
    BatchPlan(
      consumer: consumer, range: batch.range, destination: address, bucket: store.bucket,
      key: batch.firstReceivedAt.map {
        ObjectKey.batch(
          batch.range, firstReceivedAt: $0, logID: logID, isCompressed: batch.isCompressed, settings: settings
        )
      } ?? "",
      rows: batch.rows, sha256: batch.sha256)
  }

  private func plan(_ batch: BuiltBatch) async throws -> BatchPlan {
    let plan = makePlan(batch)
    KillPoint.plan.before()
    // Another whole batch waits behind this one: the plan's commit would keep it from its upload.
    let isBehind = plan.range.upperBound.advanced(by: settings.maximumRows) <= log.head
    try await log.write(urgency: isBehind ? .urgent : .usual) { try $0.plan(plan) }
    KillPoint.plan.after()
    lease.planned(plan.range.upperBound)
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
    plan.destination != address || !(plan.key.isEmpty || plan.key.contains("-\(logID)-"))
  }

  /// The hash of what an earlier try has stored where the plan was made for.
  private func storedInOldPlace(_ plan: BatchPlan) async throws -> String? {
    guard !plan.key.isEmpty, let store = try openStore(plan.destination) else { return nil }
    let stored = try await attempts.untilDone("look up", key: plan.key) { try await store.stored(plan.key) }
    guard let sha256 = stored?.sha256, plan.wasEverPlanned(sha256: sha256) else { return nil }
    return sha256
  }

  private func planAnew(_ batch: BuiltBatch, insteadOf old: BatchPlan) async throws -> BatchPlan {
    let plan = makePlan(batch)
    try await log.write { transaction in
      try transaction.removePlan(old)
      try transaction.plan(plan)
    }
    lease.planned(plan.range.upperBound)
    return plan
  }

  // MARK: Uploads

  private func upload(_ batch: BuiltBatch, as plan: BatchPlan) async throws -> Confirmation {
    guard batch.rows > 0 else { return confirm(batch, plan, stored: batch.sha256) }
    let object = NewObject(batch, key: plan.key, logID: logID)
    var attempt = 0
    while true {
      KillPoint.upload.before()
      let isNew = try await attempts.untilDone("upload", key: plan.key) { try await store.put(object) }
      KillPoint.upload.after()
      if isNew { return confirm(batch, plan, stored: batch.sha256) }
      if let sha256 = try await stored(plan) { return confirm(batch, plan, stored: sha256) }
      attempt += 1
      try await attempts.pause(afterAttempt: attempt)
    }
  }

  /// The hash of one of our own tries that is stored under the key, `nil` if nothing is. Something else there
  /// holds the consumer: it is looked at again every minute.
  private func stored(_ plan: BatchPlan) async throws -> String? {
    while true {
      let stored = try await attempts.untilDone("look up", key: plan.key) { try await store.stored(plan.key) }
      guard let stored else { return nil }
      if let sha256 = stored.sha256, plan.wasEverPlanned(sha256: sha256) { return sha256 }
      try await attempts.hold(
        "the object's key is taken by something else: shipping to this place is held until it is moved away",
        [
          "key": "\(plan.key)", "bucket": "\(store.bucket)", "planned_sha256": "\(plan.sha256)",
          "stored_sha256": "\(stored.sha256 ?? "none")",
        ])
    }
  }

  private func confirm(_ batch: BuiltBatch, _ plan: BatchPlan, stored sha256: String) -> Confirmation {
    // A row that went bad after its upload is in the object.
    let hasEveryRow = sha256 == plan.sha256 && plan.rows == plan.range.length
    return Confirmation(
      deadLetters: hasEveryRow
        ? []
        : batch.bad.map { row in
          DeadLetter(
            offset: row.offset, consumer: consumer, cause: row.cause, attempts: 0, payload: row.payload)
        },
      sent: batch.firstReceivedAt.map {
        Confirmation.Sent(bytes: batch.body.count, receivedAt: $0, isObject: true, key: plan.key)
      },
      record: { try $0.markShipped(plan) })
  }
}
