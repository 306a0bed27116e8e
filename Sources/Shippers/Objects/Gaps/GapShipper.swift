import Base
import Logging
import WAL

/// Writes an object for each gap beside the data, so that who reads the place alone can tell missing from quiet:
/// when the gap has been open for a few seconds, and again, in its place, when it has ended, or is extended.
///
/// Works beside the shipping of the data and never holds it up. How far it has come is in the log: a crash
/// between an object and that note writes the same object again.
struct GapShipper: Sendable {
  let consumer: ConsumerName
  let settings: ObjectSettings
  let address: String
  let store: any ObjectStore
  let log: TickLog
  let logID: LogID
  /// One of its own: the data's must not wait for it.
  let reader: LogReader
  let lease: Lease
  let attempts: Attempts
  let clock: ShippingClock

  /// The time that a gap is open before it gets an object that says so: many are over by then.
  static let patience = Duration.seconds(5)
  /// Gaps read at a time, and how many may have their objects without a note of it.
  static let pageLength = 16

  private var metaKey: String { GapLedger.metaKey(consumer) }

  /// Writes until it is cancelled.
  /// - Throws: `CancellationError`, `ShippingStopped`.
  func keepWriting() async throws {
    var changes = log.gapChanges
    var openThrough = Gap.ID(rawValue: 0)
    while true {
      let newest = try await attempts.untilDone("read the gaps", key: metaKey) {
        try await reader.newestGap()
      }
      let isWaiting = try await write(openThrough: openThrough)
      if isWaiting, let newest {
        try await clock.sleep(Self.patience)
        openThrough = newest
      } else {
        changes = try await log.gapChanges(beyond: changes)
      }
    }
  }

  /// Writes what there is, gaps that have just opened too.
  func writeLast(logger: Logger) async throws {
    do {
      _ = try await write(openThrough: Gap.ID(rawValue: .max))
    } catch is ShippingStopped {
      logger.warning("not every gap has its object beside the data; the rest is written after the next start")
    }
  }

  /// - Parameter openThrough: of later gaps, the open ones are left for later.
  /// - Returns: whether some were left.
  private func write(openThrough: Gap.ID) async throws -> Bool {
    var ledger = try await placed(try await readLedger())
    try await writeEnded(&ledger)
    while true {
      let page = try await attempts.untilDone("read the gaps", key: metaKey) { [next = ledger.nextGap] in
        try await reader.gaps(from: next, atMost: Self.pageLength)
      }
      guard !page.isEmpty else { return false }
      var told: [Gap] = []
      for gap in page {
        guard ledger.isDue(gap, openThrough: openThrough) else { break }
        try await write(gap)
        ledger.wrote(gap)
        told.append(gap)
      }
      if !told.isEmpty { try await save(&ledger, told: told) }
      if told.count < page.count { return true }
    }
  }

  /// Those whose objects say that they are open, and that are not any more; and those that were extended.
  private func writeEnded(_ ledger: inout GapLedger) async throws {
    let ended = try await attempts.untilDone("read the gaps", key: metaKey) { [open = ledger.openGaps] in
      open.isEmpty ? [] : try await reader.notOpen(of: open)
    }
    try await writeAgain(ended, &ledger)
  }

  /// After a change of the destination, or of the log's name by `adopt`, the gaps that are open get their
  /// objects in the new place as well; the old ones stay as they are, and so does the history there.
  private func placed(_ stored: GapLedger?) async throws -> GapLedger {
    let ledger = stored ?? GapLedger(destination: address, logID: logID)
    var moved = ledger.moved(to: address, logID: logID)
    guard moved != ledger else { return ledger }
    // The new place is noted with the last of them.
    var told: [Gap] = []
    for gap in ledger.openGaps { try await writeAgain(gap, &moved, &told) }
    try await save(&moved, told: told)
    return moved
  }

  private func writeAgain(_ ids: [Gap.ID], _ ledger: inout GapLedger) async throws {
    var told: [Gap] = []
    for (index, id) in ids.enumerated() {
      try await writeAgain(id, &ledger, &told)
      if (index + 1).isMultiple(of: Self.pageLength) || index == ids.count - 1 {
        try await save(&ledger, told: told)
        told = []
      }
    }
  }

  private func writeAgain(_ id: Gap.ID, _ ledger: inout GapLedger, _ told: inout [Gap]) async throws {
    let gap = try await attempts.untilDone("read the gaps", key: metaKey) {
      try await reader.gaps(from: id, atMost: 1).first { $0.id == id }
    }
    guard let gap else { return ledger.forget(id) }
    try await write(gap)
    ledger.wrote(gap)
    told.append(gap)
  }

  private func write(_ gap: Gap) async throws {
    // A folder's calls take no notice of it, and there may be many gaps.
    try Task.checkCancellation()
    // A copy of another log would write over that one's.
    try await lease.acquire()
    let object = GapObject(gap, logID: logID, settings: settings)
    KillPoint.gap.before()
    try await attempts.untilDone("write the gap", key: object.key) {
      try await store.writeNote(object.key, object.body)
    }
    KillPoint.gap.after()
  }

  // MARK: The ledger

  /// One that cannot be understood counts as none: every gap is written again.
  private func readLedger() async throws -> GapLedger? {
    let text = try await attempts.untilDone("read the gaps", key: metaKey) { try await reader.meta(metaKey) }
    guard let text else { return nil }
    do {
      return try GapLedger(json: text)
    } catch {
      attempts.reporter.failed(
        "the note on which gaps have their objects cannot be understood; all are written again",
        cause: "ledger", ["key": "\(metaKey)", "error": "\(error)"])
      return nil
    }
  }

  /// - Parameter told: the gaps whose objects were written since the ledger was read or saved.
  private func save(_ ledger: inout GapLedger, told: [Gap]) async throws {
    ledger = try await attempts.untilDone("note the gap", key: metaKey) { [metaKey, ledger] in
      try await log.write { transaction in
        var ledger = ledger
        // A note that cannot be understood was said when it was read.
        let stored = try transaction.meta(metaKey).flatMap { try? GapLedger(json: $0) }
        try ledger.addChanged(stored: stored, told: told) { try transaction.gap($0) }
        try transaction.setMeta(metaKey, ledger.json())
        return ledger
      }
    }
  }
}
