import FoundationEssentials
import KillPoints
import Logging
import Synchronization
import Ticks
import WAL

/// The note beside the objects that says how far a log has planned, `_logs/<log_id>.json`.
///
/// A log that was restored from a snapshot, or copied, still has its `log_id` and would give other ticks the
/// offsets of objects that are there. It finds a higher offset in the note than it has planned itself, and is
/// held until `adopt` gives it a new name.
final class LogMarker: Sendable {
  private struct Note: Codable {
    let logID: String
    let highestPlannedOffset: Int64
    let writtenAt: String

    enum CodingKeys: String, CodingKey {
      case logID = "log_id"
      case highestPlannedOffset = "highest_planned_offset"
      case writtenAt = "written_at"
    }
  }

  private struct State {
    var highestPlanned: Offset
    var isPermitted = false
  }

  private let key: String
  private let logID: LogID
  private let store: any ObjectStore
  private let attempts: Attempts
  private let clock: ShippingClock
  private let state: Mutex<State>

  /// How often the note is written.
  static let interval = Duration.seconds(300)

  /// - Parameter highestPlanned: of the log's own plans.
  init(
    key: String, logID: LogID, highestPlanned: Offset, store: any ObjectStore, attempts: Attempts,
    clock: ShippingClock
  ) {
    self.key = key
    self.logID = logID
    self.store = store
    self.attempts = attempts
    self.clock = clock
    state = Mutex(State(highestPlanned: highestPlanned))
    ownHighest = highestPlanned
  }

  /// What the log had planned before this start.
  private let ownHighest: Offset

  func planned(_ offset: Offset) {
    state.withLock { $0.highestPlanned = max($0.highestPlanned, offset) }
  }

  /// Waits until the note, read before the process's first plan and upload, does not speak against them. A
  /// held log must not plan either: its plans would pass the note at the next start.
  func awaitPermission() async throws {
    while !state.withLock({ $0.isPermitted }) {
      let body = try await attempts.untilDone("read", key: key) { try await self.store.readNote(self.key) }
      let noted = body.flatMap(highestPlanned)
      guard let noted, noted > ownHighest else {
        state.withLock { $0.isPermitted = true }
        return
      }
      try await attempts.hold(
        """
        this log was restored or copied: another one of the same log_id has planned further. Shipping is \
        held; stop this process and run `tickwal adopt` to give the log a log_id of its own
        """,
        ["log_id": "\(logID)", "planned_there": "\(noted)", "planned_here": "\(ownHighest)", "key": "\(key)"])
    }
  }

  /// What a note says of this log; one that says nothing of it cannot speak against it.
  private func highestPlanned(_ note: [UInt8]) -> Offset? {
    do {
      let note = try JSONDecoder().decode(Note.self, from: Data(note))
      return note.logID == logID.rawValue ? Offset(rawValue: note.highestPlannedOffset) : nil
    } catch {
      attempts.reporter.failed(
        "the note on how far this log has planned cannot be understood; it is written anew",
        cause: "note", ["key": "\(key)", "error": "\(error)"])
      return nil
    }
  }

  /// Writes the note every five minutes until it is cancelled.
  func keepWriting() async throws {
    var written = Offset.none
    while true {
      try await clock.sleep(Self.interval)
      let highest = state.withLock { $0.isPermitted ? $0.highestPlanned : .none }
      guard highest > written else { continue }
      try await attempts.untilDone("write", key: key) { try await self.write(highest) }
      written = highest
    }
  }

  /// Writes the note once, at shutdown. Says so if it cannot: the next start does not depend on it.
  func writeLast(logger: Logger) async {
    let highest = state.withLock { $0.isPermitted ? $0.highestPlanned : .none }
    guard highest > .none else { return }
    do {
      try await write(highest)
    } catch {
      logger.warning(
        "could not note how far the log has planned; a copy of this log would be noticed later than usual",
        metadata: ["key": "\(key)", "error": "\(error)"])
    }
  }

  private func write(_ highest: Offset) async throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let note = Note(
      logID: logID.rawValue, highestPlannedOffset: highest.rawValue,
      writtenAt: Timestamp.dashed(microseconds: clock.wall()))
    KillPoint.note.before()
    try await store.writeNote(key, Array(try encoder.encode(note)))
    KillPoint.note.after()
  }
}
