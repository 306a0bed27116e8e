import AWS
import Base
import Shippers
import WAL

/// Compares the plans of one consumer with the objects in its place: each plan with its object, then each name
/// in the place with the plans.
struct ObjectComparison: Sendable {
  let reconcile: Reconcile
  let consumer: Consumer
  let unit: String
  let inventory: ObjectInventory
  let logID: LogID

  private var reader: LogReader { reconcile.reader }
  private var range: OffsetRange { reconcile.range }

  /// Plans read at a time.
  private static let page = 64
  /// Plans looked at at a time. Where whole objects are held, no more than shipping itself would hold.
  private var concurrency: Int {
    reconcile.options.isFull || reconcile.options.repairs ? inventory.concurrency : 8
  }

  func run() async throws -> Reconciliation {
    var result = Reconciliation(consumer, unit: unit)
    do {
      // The names first: a bucket that is not there is said at once.
      try await compareNames(&result)
      try await comparePlans(&result)
    } catch {
      try result.end(with: error)
    }
    result.deadLetters = try await reader.deadLetterCount(of: consumer.name, in: range)
    return result
  }

  // MARK: Names

  private func compareNames(_ result: inout Reconciliation) async throws {
    let listing = inventory.listing()
    var seen = 0
    var lastOutside: OffsetRange?
    while let keys = try await inquire("list", inventory.folder, { try await listing.next() }) {
      for key in keys {
        guard let name = ObjectName(key: key), name.logID == logID, name.range.overlaps(reconcile.names)
        else { continue }
        try await compare(key, name.range, &lastOutside, &result)
      }
      seen += keys.count
      try await reconcile.tellNew(&result)
      report("names", seen, of: nil)
    }
  }

  /// The name's plan was committed before its upload, so it is there by now unless it was trimmed.
  private func compare(
    _ key: String, _ offsets: OffsetRange, _ lastOutside: inout OffsetRange?, _ result: inout Reconciliation
  ) async throws {
    if let plan = try await reader.plans(of: consumer.name, in: offsets, atMost: 1).first {
      guard plan.key != key || plan.bucket != inventory.bucket else { return }
      let other = plan.key.isEmpty ? "a batch without readable rows" : plan.key
      result.add(
        .double,
        "\(key): offsets \(Figures.grouped(offsets.lowerBound)) to \(Figures.grouped(offsets.upperBound)) are in \(other) already"
      )
    } else if offsets.upperBound < (try await oldestKept()) {
      result.outside += 1
      // A listing in order brings neighbours one after the other.
      if let last = lastOutside, last.overlaps(offsets) {
        result.add(
          .double,
          "\(key): offsets \(Figures.grouped(offsets.lowerBound)) to \(Figures.grouped(offsets.upperBound)) overlap those of the object before"
        )
      }
      lastOutside = offsets
    } else {
      result.add(
        .double, "\(key): of this log, and never planned here; another copy of the log may have made it")
    }
  }

  /// Behind the head where no tick is kept.
  private func oldestKept() async throws -> Offset {
    if let oldest = try await reader.oldest() { return oldest }
    return try await reader.head().next
  }

  // MARK: Plans

  private func comparePlans(_ result: inout Reconciliation) async throws {
    let confirmed = min(range.upperBound, consumer.next.previous)
    var coverage = range.lowerBound <= confirmed ? PlanCoverage(of: range.lowerBound...confirmed) : nil
    var next = range.lowerBound
    while next <= range.upperBound {
      try Task.checkCancellation()
      let plans = try await reader.plans(of: consumer.name, in: next...range.upperBound, atMost: Self.page)
      guard let last = plans.last else { break }
      for plan in plans {
        guard let (hole, overlaps) = coverage?.add(plan.range) else { continue }
        if let hole { try await account(for: hole, &result) }
        if overlaps { result.add(.double, "\(plan.key): planned over offsets of the plan before") }
      }
      for (plan, finding) in zip(plans, try await look(at: plans)) { result.add(finding, plan) }
      next = last.range.upperBound.next
      try await reconcile.tellNew(&result)
      report("ticks", range.lowerBound.distance(to: min(next, range.upperBound.next)), of: range.length)
    }
    if let hole = coverage?.holeAtEnd() { try await account(for: hole, &result) }
  }

  /// Offsets that the consumer has behind it, without a plan.
  private func account(for hole: OffsetRange, _ result: inout Reconciliation) async throws {
    let skipped = try await reader.skipped(of: consumer.name, in: hole)
    // A plan goes with its ticks.
    let oldest = try await reader.oldest() ?? hole.upperBound.next
    let left = hole.without(skipped)
    result.skipped += hole.length - left.reduce(0) { $0 + $1.length }
    for range in left where range.upperBound >= oldest {
      let first = max(range.lowerBound, oldest)
      result.add(
        .missing,
        "offsets \(Figures.grouped(first)) to \(Figures.grouped(range.upperBound)): passed, and in no object that was planned"
      )
    }
  }

  /// - Returns: a finding for each plan, in order.
  private func look(at plans: [BatchPlan]) async throws -> [Finding] {
    try await withThrowingTaskGroup(of: (Int, Finding).self) { group in
      var findings = [Finding](repeating: .agrees, count: plans.count)
      var running = 0
      for (index, plan) in plans.enumerated() {
        if running >= concurrency, let (done, finding) = try await group.next() {
          running -= 1
          findings[done] = finding
        }
        running += 1
        group.addTask { (index, try await look(at: plan)) }
      }
      while let (done, finding) = try await group.next() { findings[done] = finding }
      return findings
    }
  }

  enum Finding: Sendable, Equatable {
    case agrees
    /// Not confirmed yet, and not there.
    case pending
    /// Passed over by an operator, and not there.
    case skipped
    case missing(String)
    case repaired
    case different(String)
  }

  private func look(at plan: BatchPlan) async throws -> Finding {
    // A batch whose rows are all bad has no object.
    guard plan.rows > 0, !plan.key.isEmpty else { return .agrees }
    guard let place = try inventory.place(of: plan) else {
      return .different("planned for \(plan.destination), which cannot be looked at from here")
    }
    let stored: ObjectInventory.Text?
    do {
      stored = try await text(of: plan, in: place)
    } catch let error as AWSError {
      if let trouble = ObjectTrouble.ofOne(error) { return .different(trouble) }
      throw ComparisonFailure(reconcile.options.isFull ? "read" : "look up", plan.key, error)
    }
    guard let stored else {
      guard plan.state == .shipped else { return .pending }
      let skipped = try await reader.skipped(of: consumer.name, in: plan.range)
      if plan.range.without(skipped).isEmpty { return .skipped }
      return reconcile.options.repairs ? try await repair(plan, in: place) : .missing("not there")
    }
    guard case .sha256(let sha256) = stored else {
      return .different(
        reconcile.options.isFull ? "cannot be unpacked to its end" : "carries no sha256 of its text")
    }
    guard plan.wasEverPlanned(sha256: sha256) else {
      return .different("its text's sha256 is \(sha256), planned was \(plan.sha256)")
    }
    return reconcile.options.isFull ? try await compareRows(of: plan, stored: sha256) : .agrees
  }

  /// `nil` if nothing is there.
  private func text(of plan: BatchPlan, in place: ObjectInventory) async throws -> ObjectInventory.Text? {
    reconcile.options.isFull
      ? try await reconcile.inquiry("read", plan.key) { try await place.read(plan) }
      : try await reconcile.inquiry("look up", plan.key) { try await place.noted(plan) }
  }

  /// As the reconciliation's inquiry; what ends it names what was asked for.
  private func inquire<T: Sendable>(
    _ doing: String, _ key: String, _ operation: () async throws -> T
  ) async throws -> T {
    do {
      return try await reconcile.inquiry(doing, key, operation)
    } catch let error as AWSError {
      throw ComparisonFailure(doing, key, error)
    }
  }

  // MARK: Rows

  private func compareRows(of plan: BatchPlan, stored sha256: String) async throws -> Finding {
    guard let rebuilt = try await rebuild(plan, isForUpload: false) else { return .agrees }
    if rebuilt.sha256 == sha256 { return .agrees }
    let damage = rebuilt.badRows > plan.range.length - plan.rows
    return .different(
      damage
        ? "is as it was planned, but \(rebuilt.badRows) of its rows cannot be read in the log any more"
        : "is as it was planned, but the log gives other rows now")
  }

  /// `nil` if its ticks were trimmed, perhaps meanwhile.
  private func rebuild(_ plan: BatchPlan, isForUpload: Bool) async throws -> ObjectInventory.Rebuilt? {
    do {
      return try await inventory.rebuild(plan, isForUpload: isForUpload, from: reader)
    } catch let error as LogError where error.code == .notFound {
      guard try await plan.range.lowerBound < oldestKept() else { throw error }
      return nil
    }
  }

  // MARK: Repair

  /// Uploads the object again under its own key, if it is still the one that was planned.
  private func repair(_ plan: BatchPlan, in place: ObjectInventory) async throws -> Finding {
    guard let rebuilt = try await rebuild(plan, isForUpload: true) else {
      return .missing("not there, and its ticks are not kept any more")
    }
    guard plan.wasEverPlanned(sha256: rebuilt.sha256) else {
      return .missing("not there, and the log does not give the text any more that was planned")
    }
    if try await inquire("upload", plan.key, { try await place.put(rebuilt) }) { return .repaired }
    // Somebody was quicker.
    guard case .sha256(let sha256) = try await text(of: plan, in: place),
      plan.wasEverPlanned(sha256: sha256)
    else { return .different("something else came under this key meanwhile") }
    return .repaired
  }

  private func report(_ unit: String, _ done: Int, of total: Int?) {
    reconcile.report(Reconcile.Progress(consumer: consumer.name, unit: unit, done: done, total: total))
  }
}

extension Reconciliation {
  fileprivate mutating func add(_ finding: ObjectComparison.Finding, _ plan: BatchPlan) {
    checked += 1
    let what =
      "\(plan.key) (offsets \(Figures.grouped(plan.range.lowerBound)) to \(Figures.grouped(plan.range.upperBound)))"
    switch finding {
    case .agrees: agreeing += 1
    case .pending: pending += 1
    case .skipped: skipped += plan.range.length
    case .missing(let how): add(.missing, "\(what): \(how)")
    case .repaired: add(.missing, isRepaired: true, "\(what): not there; uploaded again")
    case .different(let how): add(.different, "\(what): \(how)")
    }
  }
}
