import Synchronization
import WAL

@testable import Ingest

/// A log whose queue the test opens and closes by hand.
final class HandLog: FeedLog {
  struct Refused: Error {}

  struct State {
    var taken: [String] = []
    var hasRoom = true
    var isClosed = false
    var isDiskFull = false
    var roomCallbacks: [@Sendable () -> Void] = []
    var completions: [@Sendable (Result<OffsetRange?, any Error>) -> Void] = []
    var asked = 0
  }

  let state = Mutex(State())

  func beginFeed(streams: [String], attempts: AttemptMemory) async throws -> FeedStart { FeedStart() }
  func endFeed(slots: [FeedEnd]) async throws {}

  func recordAttempt(
    at time: Int64, keeping memory: AttemptMemory,
    completion: @escaping @Sendable (Result<Void, any Error>) -> Void
  ) {
    completion(.success(()))
  }

  func recordHold(until time: Int64, completion: @escaping @Sendable (Result<Void, any Error>) -> Void) {
    completion(.success(()))
  }

  func setStreams(
    _ streams: [String], slots: [Int: [String]],
    completion: @escaping @Sendable (Result<Void, any Error>) -> Void
  ) {
    completion(.success(()))
  }

  var isDiskFull: Bool { state.withLock { $0.isDiskFull } }

  func tryAppend(
    _ ticks: TickBatch, rejected: [RejectedInput], gaps: [GapChange],
    completion: @escaping @Sendable (Result<OffsetRange?, any Error>) -> Void
  ) throws(LogError) -> Bool {
    let result: Bool? = state.withLock { state in
      state.asked += 1
      if state.isClosed { return nil }
      guard state.hasRoom else { return false }
      let changes = gaps.map { change in
        switch change {
        case .open(_, let cause, _, _, _): " open \(cause)"
        case .close: " close"
        case .add(_, _, let cause, _, _, _): " add \(cause)"
        case .extend: " extend"
        case .watermark, .completeness: ""
        }
      }
      state.taken.append("\(ticks.count)" + changes.joined())
      state.completions.append(completion)
      return true
    }
    guard let result else { throw LogError(.closed, "closed") }
    return result
  }

  func whenRoom(_ callback: @escaping @Sendable () -> Void) {
    let isNow = state.withLock { state in
      if !state.hasRoom { state.roomCallbacks.append(callback) }
      return state.hasRoom
    }
    if isNow { callback() }
  }

  var taken: [String] { state.withLock { $0.taken } }

  func makeRoom() {
    let callbacks = state.withLock { state in
      state.hasRoom = true
      defer { state.roomCallbacks = [] }
      return state.roomCallbacks
    }
    for callback in callbacks { callback() }
  }

  func confirm(_ result: Result<OffsetRange?, any Error> = .success(nil)) {
    let completions = state.withLock { state in
      defer { state.completions = [] }
      return state.completions
    }
    for completion in completions { completion(result) }
  }

  /// Confirms what a feed that was stopped still hands over, however late, until it has ended.
  func confirm(untilEndOf run: Task<Void, any Error>) async throws {
    let confirming = Task {
      while !Task.isCancelled {
        confirm()
        try? await Task.sleep(for: .milliseconds(5))
      }
    }
    defer { confirming.cancel() }
    try await run.value
  }
}
