import Base
import WAL

/// Reads, from the place alone, what its logs and their gaps are.
package struct FleetReader: Sendable {
  private let store: any ObjectStore
  private let settings: ObjectSettings

  /// Small objects that are read at a time.
  private static let readsAtATime = 32

  package init(_ inventory: ObjectInventory) {
    store = inventory.store
    settings = inventory.settings
  }

  package struct Reading: Sendable {
    package var logs: [FleetLog] = []
    package var held: [HeldNote] = []
    /// A line for each object that is there and tells nothing: its key, and why.
    package var unreadable: [String] = []
  }

  /// - Parameter window: gaps that lie outside of it are left out; microseconds since 1970, UTC.
  /// - Throws: the store's errors.
  package func read(_ window: ClosedRange<Int64>) async throws -> Reading {
    let keys = try await keys(ObjectKey.notes(settings))
    // The notes first: what a note vouches for is told by lists and gaps that are there by then.
    let notes = try await documents(keys.filter { Self.logID(of: $0, Self.noteSuffix) != nil }, Self.note)
    let lists = try await documents(keys.filter { Self.logID(of: $0, Self.listSuffix) != nil }, Self.list)
    let held = try await documents(keys.filter { Self.logID(of: $0, Self.heldSuffix) != nil }, Self.held)
    let bounds = Dictionary(
      notes.read.map { ($0.logID, GapReach(writtenAt: $0.writtenAt, bounds: $0.report?.gapBounds)) }
    ) { $1 }
    let known = KnownStreams()
    let gaps = try await documents(
      self.keys(ObjectKey.gaps(settings)).filter { key in
        guard let name = GapName(key: key), let reach = bounds[name.logID] else { return false }
        return reach.mayReach(into: window, from: name.startedAt)
      },
      { key, body in try Self.gap(key, body, from: window.lowerBound, known) })
    let gapsByLog = Dictionary(grouping: gaps.read, by: \.logID)
    let listsByLog = Dictionary(lists.read.map { ($0.logID, $0) }) { $1 }
    var reading = Reading()
    reading.held = held.read.sorted { $0.logID < $1.logID }
    reading.unreadable =
      (notes.unreadable + lists.unreadable + held.unreadable + gaps.unreadable).sorted()
    for note in notes.read.sorted(by: { $0.logID < $1.logID }) {
      reading.logs.append(
        FleetLog(
          logID: note.logID, writtenAt: note.writtenAt, report: note.report, streams: listsByLog[note.logID],
          gaps: (gapsByLog[note.logID] ?? []).map(\.gap)))
    }
    return reading
  }

  private struct Note: Sendable {
    let logID: String
    let writtenAt: NoteTime
    let report: LogReport?
  }

  private struct GapOfLog: Sendable {
    let logID: String
    let gap: ToldGap
  }

  private static func note(_ key: String, _ body: [UInt8]) throws -> Note? {
    let note = try LeaseNote(json: body)
    guard !note.isReportUnreadable, note.logID == logID(of: key, noteSuffix),
      let time = Timestamp.microseconds(note.writtenAt)
    else { throw NoNote() }
    return Note(logID: note.logID, writtenAt: NoteTime(time), report: note.report)
  }

  private static func list(_ key: String, _ body: [UInt8]) throws -> ListedStreams? {
    let list = try ListedStreams(json: body)
    guard list.logID == logID(of: key, listSuffix) else { throw NoNote() }
    return list
  }

  private static func held(_ key: String, _ body: [UInt8]) throws -> HeldNote? {
    let note = try HeldNote(json: body)
    guard note.logID == logID(of: key, heldSuffix) else { throw NoNote() }
    return note
  }

  /// - Returns: `nil` for one that was over by then.
  private static func gap(_ key: String, _ body: [UInt8], from start: Int64, _ known: KnownStreams) throws
    -> GapOfLog?
  {
    guard let name = GapName(key: key) else { return nil }
    let gap = try known.gap(json: body, of: name.logID)
    guard (gap.to ?? .max) >= start else { return nil }
    return GapOfLog(logID: name.logID, gap: gap)
  }

  private static let noteSuffix = ".json"
  private struct NoNote: Error {}
  private static let listSuffix = ".streams.json"
  private static let heldSuffix = ".held.json"

  /// The log that a key below `_logs/` is of, if it is one of those.
  private static func logID(of key: String, _ suffix: String) -> String? {
    guard let name = key.split(separator: "/").last, name.hasSuffix(suffix) else { return nil }
    let id = name.dropLast(suffix.count)
    return id.utf8.count == 16 && id.utf8.allSatisfy({ HexDigit.value($0) != nil }) ? String(id) : nil
  }

  private func keys(_ prefix: String) async throws -> [String] {
    let listing = store.listing(prefix: prefix, after: nil)
    var keys: [String] = []
    while let page = try await listing.next() { keys += page }
    return keys.sorted()
  }

  private enum Outcome<Value: Sendable>: Sendable {
    case read(Value)
    case unreadable(String)
    case left
  }

  /// - Parameter parse: `nil` for one that is of no interest.
  private func documents<Value: Sendable>(
    _ keys: [String],
    _ parse: @escaping @Sendable (_ key: String, _ body: [UInt8]) throws -> Value?
  ) async throws -> (read: [Value], unreadable: [String]) {
    var (read, unreadable) = ([Value](), [String]())
    try await withThrowingTaskGroup(of: Outcome<Value>.self) { group in
      var waiting = keys[...]
      func addOne() {
        guard let key = waiting.popFirst() else { return }
        group.addTask {
          // One that is listed and not there may say that something is missing.
          let body: [UInt8]
          do {
            guard let there = try await store.readNote(key) else {
              return .unreadable("\(key) cannot be read: it is archived, or was deleted this moment")
            }
            body = there
          } catch let error as NoteTooLarge {
            return .unreadable("\(key) cannot be read: it is \(error)")
          }
          do {
            return try parse(key, body).map { .read($0) } ?? .left
          } catch {
            return .unreadable("\(key) cannot be understood")
          }
        }
      }
      for _ in 0..<Self.readsAtATime { addOne() }
      while let outcome = try await group.next() {
        switch outcome {
        case .read(let value): read.append(value)
        case .unreadable(let text): unreadable.append(text)
        case .left: break
        }
        addOne()
      }
    }
    return (read, unreadable)
  }
}

/// The reach of a log's gaps, as far as its note tells of it: which of them need not be read.
struct GapReach {
  let writtenAt: NoteTime
  /// `nil` if the note says nothing.
  let bounds: LogReport.GapBounds?

  /// For clocks that were set, and for gaps that are found a while after they began, or extended; microseconds.
  private static let margin: Int64 = 3_600_000_000

  /// Whether a gap may concern a time.
  ///
  /// - Parameter start: when it began; microseconds since 1970, UTC.
  func mayReach(into window: ClosedRange<Int64>, from start: Int64) -> Bool {
    guard start <= window.upperBound else { return false }
    guard let bounds else { return true }
    // It has ended unless it is one of those that were open then, or came later.
    let ended = min(writtenAt, bounds.oldestOpen ?? writtenAt).microseconds.subtractingSaturated(Self.margin)
    let longest = Int64(Fleet.seconds(bounds.longestSeconds) / .microseconds(1))
    return start >= ended
      || start.addingSaturated(longest).addingSaturated(Self.margin) >= window.lowerBound
  }
}

/// The facts that the key of a gap's object tells, as ``ObjectKey`` made it.
struct GapName {
  let logID: String
  /// Microseconds since 1970, UTC.
  let startedAt: Int64

  /// `nil` for anything else.
  init?(key: String) {
    guard let name = key.split(separator: "/").last, name.hasSuffix(".jsonl") else { return nil }
    // …-2026-11-22T05-13-20.123456Z-<log_id>-<gap>.jsonl
    let parts = name.dropLast(".jsonl".count).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 7, parts[parts.count - 2].utf8.count == 16,
      let startedAt = Timestamp.microseconds(
        parts[(parts.count - 7)..<(parts.count - 2)].joined(separator: "-"))
    else { return nil }
    logID = String(parts[parts.count - 2])
    self.startedAt = startedAt
  }
}
