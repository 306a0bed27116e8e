import AWS
import Base
import ShippingFixtures
import Synchronization
import WAL

@testable import Shippers

/// Objects in memory, with hooks before and after each call that fail, wait or look.
final class ScriptedStore: ObjectStore {
  enum Call: Hashable {
    case put(String)
    case head(String)
    case readNote(String)
    case writeNote(String)
    case list(String)

    var isPut: Bool { if case .put = self { true } else { false } }
    /// What tells of a gap, and not the note on the log.
    var isGap: Bool { if case .writeNote(let key) = self { key.contains("/_gaps/") } else { false } }
    var isHead: Bool { if case .head = self { true } else { false } }
  }

  typealias Hook = @Sendable (Call) async throws -> Void

  private struct State {
    var objects: [String: NewObject] = [:]
    var foreign: [String: String?] = [:]
    var notes: [String: [UInt8]] = [:]
    /// All that were written, in their order.
    var writtenNotes: [(key: String, body: [UInt8])] = []
    /// Notes that are listed and cannot be read.
    var archived: Set<String> = []
    var calls: [Call] = []
    /// Every content that was ever sent under a key.
    var sent: [String: Set<[UInt8]>] = [:]
    var before: Hook = { _ in }
    var after: Hook = { _ in }
  }

  let bucket: String
  private let state = Mutex(State())

  init(bucket: String = "bucket") { self.bucket = bucket }

  var objects: [String: NewObject] { state.withLock { $0.objects } }
  var notes: [String: [UInt8]] { state.withLock { $0.notes } }
  var writtenNotes: [(key: String, body: [UInt8])] { state.withLock { $0.writtenNotes } }
  var calls: [Call] { state.withLock { $0.calls } }
  var sent: [String: Set<[UInt8]>] { state.withLock { $0.sent } }
  var puts: [String] {
    calls.compactMap { if case .put(let key) = $0 { key } else { nil } }
  }

  /// Replaces both hooks.
  func hook(before: @escaping Hook = { _ in }, after: @escaping Hook = { _ in }) {
    state.withLock { state in
      state.before = before
      state.after = after
    }
  }

  /// Something that is not ours under a key; `nil` to take it away.
  func setForeign(_ key: String, sha256: String??) { state.withLock { $0.foreign[key] = sha256 } }
  func setNote(_ key: String, _ text: String) { state.withLock { $0.notes[key] = Array(text.utf8) } }
  /// As a lifecycle rule does it.
  func archive(_ key: String) { state.withLock { _ = $0.archived.insert(key) } }
  func removeNote(_ key: String) { state.withLock { $0.notes[key] = nil } }
  func remove(_ key: String) { state.withLock { $0.objects[key] = nil } }

  /// An object that some other log has put there.
  func add(_ key: String) {
    var builder = BatchBuilder(first: .first, settings: .test())
    _ = builder.addBad(TickPage.BadRow(offset: .first, cause: "", payload: []))
    let object = NewObject(builder.finish(), key: key, logID: LogID(rawValue: "0123456789abcdef"))
    state.withLock { $0.objects[key] = object }
  }

  func put(_ object: NewObject) async throws -> Bool {
    try await called(.put(object.key)) { state in
      state.sent[object.key, default: []].insert(object.body)
      guard state.objects[object.key] == nil, state.foreign[object.key] == nil else { return false }
      state.objects[object.key] = object
      return true
    }
  }

  func stored(_ key: String) async throws -> StoredObject? {
    try await called(.head(key)) { state in
      if let foreign = state.foreign[key] { return StoredObject(sha256: foreign) }
      return state.objects[key].map { StoredObject(sha256: $0.sha256) }
    }
  }

  func content(_ key: String) async throws -> ObjectContent? {
    try await called(.head(key)) { state in state.objects[key].map { ObjectContent($0.body, key: key) } }
  }

  func readNote(_ key: String) async throws -> [UInt8]? {
    try await called(.readNote(key)) { $0.archived.contains(key) ? nil : $0.notes[key] }
  }

  func writeNote(_ key: String, _ body: [UInt8]) async throws {
    try await called(.writeNote(key)) { state in
      state.notes[key] = body
      state.writtenNotes.append((key, body))
    }
  }

  func look(key: String, object: NewObject, writes: Bool) -> [DoctorFinding] { [] }

  /// All keys at once.
  func listing(prefix: String, after start: String?) -> any ObjectListing {
    OnePage {
      try await self.called(.list(prefix)) { state in
        (Array(state.objects.keys) + state.notes.keys).filter { $0.hasPrefix(prefix) && $0 > start ?? "" }
          .sorted()
      }
    }
  }

  private func called<T: Sendable>(
    _ call: Call, _ body: @Sendable (inout sending State) -> T
  ) async throws -> T {
    let (before, after) = state.withLock { state in
      state.calls.append(call)
      return (state.before, state.after)
    }
    try await before(call)
    let result = state.withLock { state in body(&state) }
    try await after(call)
    return result
  }
}

/// All keys at once.
actor OnePage: ObjectListing {
  private let page: @Sendable () async throws -> [String]
  private var isAtEnd = false

  init(_ page: @escaping @Sendable () async throws -> [String]) { self.page = page }

  func next() async throws -> [String]? {
    guard !isAtEnd else { return nil }
    let keys = try await page()
    isAtEnd = true
    return keys
  }
}

extension AWSError {
  static func answer(_ status: Int, _ kind: AWSError.Kind, _ code: AWSError.Code = "Some") -> AWSError {
    AWSError(code, kind, operation: "PutObject", status: status, message: "scripted")
  }
}

/// Counts calls, for hooks that act on one of them.
final class Counter: Sendable {
  private let value = Mutex(0)

  /// - Returns: 1 for the first call.
  func next() -> Int {
    value.withLock { value in
      value += 1
      return value
    }
  }

  var count: Int { value.withLock { $0 } }
}
