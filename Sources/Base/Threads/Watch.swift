import Synchronization

/// A value that changes, and tasks that wait until it is as they want it.
package final class Watch<Value: Sendable>: Sendable {
  private struct Waiting {
    let isWanted: @Sendable (Value) -> Bool
    let continuation: CheckedContinuation<Value, any Error>
  }

  private struct State {
    var value: Value
    var waiting: [UInt64: Waiting] = [:]
    var nextID: UInt64 = 0
  }

  private let state: Mutex<State>

  package init(_ value: Value) {
    state = Mutex(State(value: value))
  }

  package var value: Value { state.withLock { $0.value } }

  /// Changes the value and wakes those who waited for what it is now.
  package func update(_ change: (inout Value) -> Void) {
    let (value, woken) = state.withLock { state in
      change(&state.value)
      let ids = state.waiting.filter { $0.value.isWanted(state.value) }.map(\.key)
      return (state.value, ids.compactMap { state.waiting.removeValue(forKey: $0)?.continuation })
    }
    for continuation in woken { continuation.resume(returning: value) }
  }

  /// Waits for a value that `isWanted` accepts, and returns it.
  /// - Throws: `CancellationError`.
  package func wait(until isWanted: @escaping @Sendable (Value) -> Bool) async throws -> Value {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let result: Result<Value, any Error>? = state.withLock { state in
          if isWanted(state.value) { return .success(state.value) }
          if Task.isCancelled { return .failure(CancellationError()) }
          state.waiting[id] = Waiting(isWanted: isWanted, continuation: continuation)
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
