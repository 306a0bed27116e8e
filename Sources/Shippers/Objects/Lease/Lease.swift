import Base
import Logging
import Synchronization
import WAL

/// The lease of a place: of the logs of one `log_id` only one ships to it at a time.
///
/// A log that was restored from a snapshot, or copied, still has its `log_id` and would give other ticks the
/// offsets of objects that are there. Before it plans anything a process looks at the note in the place and at the
/// objects there, then writes a fencing token of its own into the note, which it looks at again every minute. A log
/// that finds another one's traces is held until `adopt` gives it a new name.
final class Lease: Sendable {
  private enum State: Equatable {
    case unknown
    /// One task asks for all.
    case asked
    case held(token: String)

    var token: String? { if case .held(let token) = self { token } else { nil } }
  }

  private let consumer: ConsumerName
  private let key: String
  private let logID: LogID
  private let settings: ObjectSettings
  private let address: String
  private let store: any ObjectStore
  private let log: TickLog
  /// The time of receipt of the first tick that is not planned, or of the last one of all; `nil` without ticks.
  private let receivedAt: @Sendable (_ unplanned: Offset) async throws -> Int64?
  private let attempts: Attempts
  private let clock: ShippingClock
  private let reporter: FleetReporter?
  private let state = Watch(State.unknown)
  private let highestPlanned: Mutex<Offset>

  /// The time between writes of the note while nothing happens for which one would not wait.
  static let interval = Duration.seconds(300)
  /// The time between looks at it; the first comes soon, for one that started at the same moment.
  static let look = Duration.seconds(60)
  static let firstLook = Duration.seconds(10)
  /// By how much a clock may have been set back without objects being overlooked for it; microseconds.
  private static let clockMargin: Int64 = 600_000_000

  /// - Parameter highestPlanned: of the log's own plans.
  init(
    consumer: ConsumerName, logID: LogID, settings: ObjectSettings, address: String,
    highestPlanned: Offset,
    store: any ObjectStore, log: TickLog,
    receivedAt: @escaping @Sendable (_ unplanned: Offset) async throws -> Int64?, attempts: Attempts,
    clock: ShippingClock, reporter: FleetReporter? = nil
  ) {
    self.consumer = consumer
    key = ObjectKey.lease(logID: logID, settings: settings)
    self.logID = logID
    self.settings = settings
    self.address = address
    self.highestPlanned = Mutex(highestPlanned)
    self.store = store
    self.log = log
    self.receivedAt = receivedAt
    self.attempts = attempts
    self.clock = clock
    self.reporter = reporter
  }

  func planned(_ offset: Offset) {
    highestPlanned.withLock { $0 = max($0, offset) }
  }

  // MARK: Acquiring

  /// Waits until nothing in the place speaks against planning, uploading and writing there. A held log must not
  /// plan either: its plans would pass the note at the next start.
  /// - Throws: `CancellationError`, `ShippingStopped`, the log's errors.
  func acquire() async throws {
    while state.value.token == nil {
      guard begin() else {
        _ = try await state.wait { $0 != .asked }
        continue
      }
      do {
        let token = try await ask()
        state.update { $0 = .held(token: token) }
      } catch {
        state.update { $0 = .unknown }
        throw error
      }
    }
  }

  var isHeld: Bool { state.value.token != nil }

  /// Waits until it is; asks for nothing.
  ///
  /// - Throws: `CancellationError`.
  func held() async throws { _ = try await state.wait { $0.token != nil } }

  private func begin() -> Bool {
    var isFirst = false
    state.update { state in
      isFirst = state == .unknown
      if isFirst { state = .asked }
    }
    return isFirst
  }

  private func ask() async throws -> String {
    var isHeld = false
    while true {
      let note = try await readNote()
      let tokens = known(try await log.write { try $0.meta(FencingTokens.metaKey) })
      let identity = LogIdentity(
        logID: logID, highestPlanned: highestPlanned.withLock { $0 }, tokens: tokens?.all)
      guard let objection = try await objection(to: identity, note) else {
        if isHeld { try await log.release(consumer) }
        return try await take(after: note)
      }
      isHeld = true
      await reporter?.tellHeld("\(objection["why"] ?? "")")
      try await attempts.hold(
        """
        this log was restored or copied: shipping is held, so that no offset gets two meanings; stop this process \
        and run `tickwal adopt` to give the log a log_id of its own
        """, objection)
    }
  }

  /// The facts that are said of it, if something is against it.
  private func objection(to identity: LogIdentity, _ note: LeaseNote?) async throws -> Logger.Metadata? {
    if let note, let objection = identity.objection(to: note) {
      return metadata(objection, identity).merging(
        ["key": "\(key)", "planned_there": .stringConvertible(note.highestPlannedOffset)]) { $1 }
    }
    guard let unknown = try await unknownObject(to: identity) else { return nil }
    return metadata(.objects, identity).merging(["key": "\(unknown)"]) { $1 }
  }

  private func metadata(_ objection: LogIdentity.Objection, _ identity: LogIdentity) -> Logger.Metadata {
    [
      "why": "\(objection.rawValue)", "log_id": "\(logID)",
      "planned_here": .stringConvertible(identity.highestPlanned.rawValue),
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
      // Batches that were permitted before a token was lost are planned and uploaded meanwhile, in this order.
      identity.highestPlanned = highestPlanned.withLock { $0 }
      if let unknown = identity.unknownObject(among: keys) { return unknown }
    }
    return nil
  }

  /// First into the log, so that a note with this token is known for the log's own, whenever the process ends.
  private func take(after note: LeaseNote?) async throws -> String {
    let token = LogID.random().rawValue
    try await log.write { [address] transaction in
      var tokens = self.known(try transaction.meta(FencingTokens.metaKey)) ?? FencingTokens()
      tokens.add(token, at: address, after: note?.token)
      try transaction.setMeta(FencingTokens.metaKey, try tokens.text())
    }
    await reporter?.begin(after: note)
    try await attempts.untilDone("write", key: key) { try await self.write(token) }
    return token
  }

  /// - Returns: `nil` if they cannot be understood; that is said.
  private func known(_ text: String?) -> FencingTokens? {
    do {
      return try FencingTokens(text: text)
    } catch {
      attempts.reporter.failed(
        "the log's own fencing tokens cannot be understood; a place with a token in its note counts as another log's",
        cause: "tokens", ["key": "\(FencingTokens.metaKey)", "error": "\(error)"])
      return nil
    }
  }

  // MARK: The note

  /// One that cannot be understood, or is of another log, cannot speak against this one.
  private func readNote() async throws -> LeaseNote? {
    guard
      let body = try await attempts.untilDone(
        "read", key: key,
        {
          do { return try await self.store.readNote(self.key) } catch is NoteTooLarge { return [] }
        })
    else { return nil }
    do {
      return try LeaseNote(json: body)
    } catch {
      attempts.reporter.failed(
        "the note on how far this log has planned cannot be understood; it is written anew",
        cause: "note", ["key": "\(key)", "error": "\(error)"])
      return nil
    }
  }

  private func write(_ token: String) async throws {
    // Before the look: what the report says was true by then.
    let now = clock.wall()
    let note = LeaseNote(
      logID: logID, highestPlanned: highestPlanned.withLock { $0 }, token: token, writtenAt: now,
      report: await reporter?.next())
    KillPoint.note.before()
    try await store.writeNote(key, try note.json())
    KillPoint.note.after()
  }

  /// Looks at the note every minute, and writes it every five, or when the log's report has changed in what matters,
  /// until it is cancelled. Another process' token in it ends the lease.
  func keep() async throws {
    var wait = Self.firstLook
    var writtenAt = clock.now()
    while true {
      try await clock.sleep(wait)
      wait = Self.look
      guard let token = state.value.token else { continue }
      if let note = try await readNote(), note.logID == logID.rawValue, note.token != token {
        state.update { $0 = .unknown }
        // Said at once, also while nothing is there to be shipped.
        try await acquire()
        continue
      }
      if clock.now() - writtenAt < Self.interval {
        guard await reporter?.hasNews() ?? false else { continue }
      }
      try await attempts.untilDone("write", key: key) { try await self.write(token) }
      writtenAt = clock.now()
    }
  }

  /// Writes the note once, at shutdown. Says so if it cannot: the next start does not depend on it.
  func writeLast(logger: Logger) async {
    guard let token = state.value.token else { return }
    do {
      if let body = try await store.readNote(key) {
        let note = try LeaseNote(json: body)
        // Another process has taken the place over since the last look. The next start says so.
        guard note.token == token || note.logID != logID.rawValue else { return }
      }
      try await write(token)
    } catch {
      logger.warning(
        "could not note how far the log has planned; a copy of this log would be noticed later than usual",
        metadata: ["key": "\(key)", "error": "\(error)"])
    }
  }
}
