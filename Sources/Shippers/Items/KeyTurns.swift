import Synchronization
import WAL

/// The turns of the ticks whose items have one key, so that the later one is what remains.
///
/// Two requests for one key may be carried out in either order, and one that is tried again comes after all others.
/// So of each key one tick is on its way, in the order of offsets.
final class KeyTurns: Sendable {
  private struct State {
    var keys: [Offset: Int] = [:]
    /// The latest tick that came for a key.
    var latest: [Int: Offset] = [:]
    var successors: [Offset: Offset] = [:]
    /// Ticks whose turn has not come.
    var waiting: Set<Offset> = []
    var waiters: [Offset: CheckedContinuation<Void, any Error>] = [:]
  }

  private let state = Mutex(State())

  /// Puts a tick behind the others of its key. Called in the order of offsets.
  ///
  /// - Parameter key: a hash of the item's key; two keys with one hash wait for each other, which does no harm.
  /// - Returns: whether it is its turn.
  func enter(_ offset: Offset, key: Int) -> Bool { enter([(offset, key)]) }

  /// The same for several ticks of different keys, in the order of offsets.
  ///
  /// - Returns: whether it is the turn of all.
  func enter(_ ticks: [(offset: Offset, key: Int)]) -> Bool {
    state.withLock { state in
      var isTheirs = true
      for (offset, key) in ticks {
        state.keys[offset] = key
        guard let before = state.latest.updateValue(offset, forKey: key) else { continue }
        state.successors[before] = offset
        state.waiting.insert(offset)
        isTheirs = false
      }
      return isTheirs
    }
  }

  /// Returns when it is a tick's turn; at once for one that never entered.
  ///
  /// - Throws: `CancellationError`; then the tick keeps its place, and those behind it theirs.
  func turn(of offset: Offset) async throws {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let isOpen = state.withLock { state in
          // The handler may have run before, and found nobody.
          guard state.waiting.contains(offset), !Task.isCancelled else { return false }
          state.waiters[offset] = continuation
          return true
        }
        if !isOpen { continuation.resume() }
      }
      try Task.checkCancellation()
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: offset) }?.resume(throwing: CancellationError())
    }
  }

  /// Ends a tick's turn; does nothing for one that never entered.
  func leave(_ offset: Offset) {
    let next = state.withLock { state -> CheckedContinuation<Void, any Error>? in
      guard let key = state.keys.removeValue(forKey: offset) else { return nil }
      if state.latest[key] == offset { state.latest[key] = nil }
      guard let next = state.successors.removeValue(forKey: offset) else { return nil }
      state.waiting.remove(next)
      return state.waiters.removeValue(forKey: next)
    }
    next?.resume()
  }
}
