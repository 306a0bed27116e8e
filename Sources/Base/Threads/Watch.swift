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

    /// Removes those who have what they want. Most often nobody waits: that must cost next to nothing.
    mutating func takeContent() -> [CheckedContinuation<Value, any Error>] {
      guard !waiting.isEmpty else { return [] }
      var content: [CheckedContinuation<Value, any Error>] = []
      for (id, waiter) in waiting where waiter.isWanted(value) {
        waiting[id] = nil
        content.append(waiter.continuation)
      }
      return content
    }
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
      return (state.value, state.takeContent())
    }
    for continuation in woken { continuation.resume(returning: value) }
  }

  /// Has those who wait look again: what they want has changed.
  package func recheck() { update { _ in } }

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
