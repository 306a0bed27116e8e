import Base
import WAL

/// Reads, from the place alone, what its logs and their gaps are.
package struct FleetReader: Sendable {
  private let store: any ObjectStore
  private let settings: ObjectSettings

  /// Small objects that are read at a time.
  private static let readsAtATime = 16

  package init(_ inventory: ObjectInventory) {
    store = inventory.store
    settings = inventory.settings
  }

  package struct Reading: Sendable {
    package var logs: [FleetLog] = []
    /// The keys of notes and gaps that are there and cannot be understood.
    package var unreadable: [String] = []
  }

  /// - Parameter end: gaps that began after it are not read; microseconds since 1970, UTC.
  /// - Throws: the store's errors.
  package func read(until end: Int64) async throws -> Reading {
    let prefix = ObjectKey.notes(settings)
    // The notes first: a gap that began before a note's time is there by then.
    let notes = try await documents(try await keys(prefix).filter { Self.logID(of: $0, ".json") != nil }) {
      try LeaseNote(json: $0)
    }
    let lists = try await documents(
      try await keys(prefix).filter { Self.logID(of: $0, ".streams.json") != nil }
    ) { try ListedStreams(json: $0) }
    let known = Set(notes.read.map(\.value.logID))
    let gaps = try await documents(
      try await keys(ObjectKey.gaps(settings)).filter { key in
        guard let name = GapName(key: key) else { return false }
        return known.contains(name.logID) && name.startedAt <= end
      }
    ) { try ToldGap(json: $0) }
    let gapsByLog = Dictionary(grouping: gaps.read) { GapName(key: $0.key)?.logID ?? "" }
    var reading = Reading()
    reading.unreadable = (notes.unreadable + lists.unreadable + gaps.unreadable).sorted()
    for (key, note) in notes.read {
      guard let time = Timestamp.microseconds(note.writtenAt) else {
        reading.unreadable.append(key)
        continue
      }
      reading.logs.append(
        FleetLog(
          logID: note.logID, writtenAt: NoteTime(time), report: note.report,
          streams: lists.read.first { $0.value.logID == note.logID }?.value,
          gaps: (gapsByLog[note.logID] ?? []).map(\.value)))
    }
    reading.logs.sort { $0.logID < $1.logID }
    return reading
  }

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
    case unreadable
    /// Deleted since it was listed.
    case gone
  }

  private func documents<Value: Sendable>(
    _ keys: [String], _ parse: @escaping @Sendable ([UInt8]) throws -> Value
  ) async throws -> (read: [(key: String, value: Value)], unreadable: [String]) {
    var (read, unreadable) = ([(key: String, value: Value)](), [String]())
    try await withThrowingTaskGroup(of: (String, Outcome<Value>).self) { group in
      var waiting = keys[...]
      func addOne() {
        guard let key = waiting.popFirst() else { return }
        group.addTask {
          guard let body = try await store.readNote(key) else { return (key, .gone) }
          guard let value = try? parse(body) else { return (key, .unreadable) }
          return (key, .read(value))
        }
      }
      for _ in 0..<Self.readsAtATime { addOne() }
      while let (key, outcome) = try await group.next() {
        switch outcome {
        case .read(let value): read.append((key, value))
        case .unreadable: unreadable.append(key)
        case .gone: break
        }
        addOne()
      }
    }
    return (read.sorted { $0.key < $1.key }, unreadable)
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
