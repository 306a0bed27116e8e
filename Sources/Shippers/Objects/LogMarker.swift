import Base
import Logging
import Synchronization
import WAL

/// Sees to it that of the logs of one `log_id` only one ships to a place.
///
/// A log that was restored from a snapshot, or copied, still has its `log_id` and would give other ticks the
/// offsets of objects that are there. Before it plans anything a process looks at the note in the place and at the
/// objects there, then writes a claim of its own into the note, which it looks at again every minute. A log that
/// finds another one's traces is held until `adopt` gives it a new name.
final class LogMarker: Sendable {
  private enum Permission: Equatable {
    case unknown
    /// One task asks for all.
    case asked
    case given(claim: String)

    var claim: String? { if case .given(let claim) = self { claim } else { nil } }
  }

  private let consumer: ConsumerName
  private let key: String
  private let logID: LogID
  private let settings: ObjectSettings
  private let destination: Destination
  private let store: any ObjectStore
  private let log: TickLog
  /// When the first tick that is not planned was received, or the last one of all; `nil` without ticks.
  private let receivedAt: @Sendable (_ unplanned: Offset) async throws -> Int64?
  private let attempts: Attempts
  private let clock: ShippingClock
  private let permission = Watch(Permission.unknown)
  private let highestPlanned: Mutex<Offset>

  /// How often the note is written while something new is planned.
  static let interval = Duration.seconds(300)
  /// How often it is looked at; for the first time soon, for one that started at the same moment.
  static let look = Duration.seconds(60)
  static let firstLook = Duration.seconds(10)
  /// By how much a clock may have been set back without objects being overlooked for it; microseconds.
  private static let clockMargin: Int64 = 600_000_000

  /// - Parameter highestPlanned: of the log's own plans.
  init(
    consumer: ConsumerName, logID: LogID, settings: ObjectSettings, destination: Destination,
    highestPlanned: Offset,
    store: any ObjectStore, log: TickLog,
    receivedAt: @escaping @Sendable (_ unplanned: Offset) async throws -> Int64?, attempts: Attempts,
    clock: ShippingClock
  ) {
    self.consumer = consumer
    key = ObjectKey.marker(logID: logID, settings: settings)
    self.logID = logID
    self.settings = settings
    self.destination = destination
    self.highestPlanned = Mutex(highestPlanned)
    self.store = store
    self.log = log
    self.receivedAt = receivedAt
    self.attempts = attempts
    self.clock = clock
  }

  func planned(_ offset: Offset) {
    highestPlanned.withLock { $0 = max($0, offset) }
  }

  // MARK: Permission

  /// Waits until nothing in the place speaks against planning, uploading and writing there. A held log must not
  /// plan either: its plans would pass the note at the next start.
  /// - Throws: `CancellationError`, `ShippingStopped`, the log's errors.
  func awaitPermission() async throws {
    while permission.value.claim == nil {
      guard begin() else {
        _ = try await permission.wait { $0 != .asked }
        continue
      }
      do {
        let claim = try await ask()
        permission.update { $0 = .given(claim: claim) }
      } catch {
        permission.update { $0 = .unknown }
        throw error
      }
    }
  }

  private func begin() -> Bool {
    var isFirst = false
    permission.update { permission in
      isFirst = permission == .unknown
      if isFirst { permission = .asked }
    }
    return isFirst
  }

  private func ask() async throws -> String {
    var isHeld = false
    while true {
      let note = try await readNote()
      let claims = LogClaims(text: try await log.write { try $0.meta(LogClaims.metaKey) })
      let identity = LogIdentity(
        logID: logID, highestPlanned: highestPlanned.withLock { $0 }, claims: claims.all)
      guard let objection = try await objection(to: identity, note) else {
        if isHeld { try await log.release(consumer) }
        return try await claim(after: note)
      }
      isHeld = true
      try await attempts.hold(
        """
        this log was restored or copied: shipping is held, so that no offset gets two meanings; stop this process \
        and run `tickwal adopt` to give the log a log_id of its own
        """, objection)
    }
  }

  /// What is said of it.
  private func objection(to identity: LogIdentity, _ note: LogNote?) async throws -> Logger.Metadata? {
    if let note, let objection = identity.objection(to: note) {
      return metadata(objection, identity).merging(
        ["key": "\(key)", "planned_there": "\(note.highestPlannedOffset)"]) { $1 }
    }
    guard let unknown = try await unknownObject(to: identity) else { return nil }
    return metadata(.objects, identity).merging(["key": "\(unknown)"]) { $1 }
  }

  private func metadata(_ objection: LogIdentity.Objection, _ identity: LogIdentity) -> Logger.Metadata {
    [
      "why": "\(objection.rawValue)", "log_id": "\(logID)", "planned_here": "\(identity.highestPlanned)",
    ]
  }

  /// The note is up to five minutes old, and what was planned since is in the objects' names.
  private func unknownObject(to identity: LogIdentity) async throws -> String? {
    guard let receivedAt = try await receivedAt(identity.highestPlanned.next) else { return nil }
    let (prefix, after) = ObjectKey.batches(
      from: receivedAt.subtractingReportingOverflow(Self.clockMargin).partialValue, settings: settings)
    let listing = store.listing(prefix: prefix, after: after)
    var identity = identity
    while let keys = try await attempts.untilDone("list", key: after, { try await listing.next() }) {
      // Batches that were permitted before a claim was lost are planned and uploaded meanwhile, in this order.
      identity.highestPlanned = highestPlanned.withLock { $0 }
      if let unknown = identity.unknownObject(among: keys) { return unknown }
    }
    return nil
  }

  /// First into the log, so that a note with this claim is known for the log's own, whenever the process ends.
  private func claim(after note: LogNote?) async throws -> String {
    let claim = LogID.random().rawValue
    try await log.write { [place = destination.json] transaction in
      var claims = LogClaims(text: try transaction.meta(LogClaims.metaKey))
      claims.add(claim, at: place, after: note?.claim)
      try transaction.setMeta(LogClaims.metaKey, try claims.text())
    }
    try await attempts.untilDone("write", key: key) { _ = try await self.write(claim) }
    return claim
  }

  // MARK: The note

  /// One that cannot be understood, or is of another log, cannot speak against this one.
  private func readNote() async throws -> LogNote? {
    guard
      let body = try await attempts.untilDone("read", key: key, { try await self.store.readNote(self.key) })
    else { return nil }
    do {
      return try LogNote(json: body)
    } catch {
      attempts.reporter.failed(
        "the note on how far this log has planned cannot be understood; it is written anew",
        cause: "note", ["key": "\(key)", "error": "\(error)"])
      return nil
    }
  }

  private func write(_ claim: String) async throws -> Offset {
    let highest = highestPlanned.withLock { $0 }
    let note = LogNote(logID: logID, highestPlanned: highest, claim: claim, writtenAt: clock.wall())
    KillPoint.note.before()
    try await store.writeNote(key, try note.json())
    KillPoint.note.after()
    return highest
  }

  /// Looks at the note every minute, and writes it every five, until it is cancelled. Another process' claim in it
  /// ends the permission.
  func keepWriting() async throws {
    var written = highestPlanned.withLock { $0 }
    var wait = Self.firstLook
    var writtenAt = clock.now()
    while true {
      try await clock.sleep(wait)
      wait = Self.look
      guard let claim = permission.value.claim else { continue }
      if let note = try await readNote(), note.logID == logID.rawValue, note.claim != claim {
        permission.update { $0 = .unknown }
        // Said at once, also while nothing is there to be shipped.
        try await awaitPermission()
        continue
      }
      guard clock.now() - writtenAt >= Self.interval, highestPlanned.withLock({ $0 }) > written else {
        continue
      }
      written = try await attempts.untilDone("write", key: key) { try await self.write(claim) }
      writtenAt = clock.now()
    }
  }

  /// Writes the note once, at shutdown. Says so if it cannot: the next start does not depend on it.
  func writeLast(logger: Logger) async {
    guard let claim = permission.value.claim else { return }
    do {
      if let body = try await store.readNote(key) {
        let note = try LogNote(json: body)
        // Another process has taken the place over since the last look. The next start says so.
        guard note.claim == claim || note.logID != logID.rawValue else { return }
      }
      _ = try await write(claim)
    } catch {
      logger.warning(
        "could not note how far the log has planned; a copy of this log would be noticed later than usual",
        metadata: ["key": "\(key)", "error": "\(error)"])
    }
  }
}
