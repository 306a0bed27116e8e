import Synchronization

/// The head of the log, for those who wait for it to move.
final class HeadWatch: Sendable {
  private struct State {
    var head: Offset
    var waiting: [UInt64: (beyond: Offset, continuation: CheckedContinuation<Offset, any Error>)] = [:]
    var nextID: UInt64 = 0
  }

  private let state: Mutex<State>

  init(_ head: Offset) {
    state = Mutex(State(head: head))
  }

  var head: Offset { state.withLock { $0.head } }

  func advance(to head: Offset) {
    let woken = state.withLock { state in
      state.head = head
      let ids = state.waiting.filter { $0.value.beyond < head }.map(\.key)
      return ids.compactMap { state.waiting.removeValue(forKey: $0)?.continuation }
    }
    for continuation in woken { continuation.resume(returning: head) }
  }

  /// - Throws: `CancellationError`.
  func wait(beyond offset: Offset) async throws -> Offset {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let result: Result<Offset, any Error>? = state.withLock { state in
          if state.head > offset { return .success(state.head) }
          if Task.isCancelled { return .failure(CancellationError()) }
          state.waiting[id] = (offset, continuation)
          return nil
        }
        if let result { continuation.resume(with: result) }
      }
    } onCancel: {
      let waiting = state.withLock { $0.waiting.removeValue(forKey: id) }
      waiting?.continuation.resume(throwing: CancellationError())
    }
  }
}
