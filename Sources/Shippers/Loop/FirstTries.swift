import Base
import Synchronization
import WAL

/// The first tries that have ended, from whatever thread, until the shipper's loop takes them all at once.
///
/// It holds one for each delivery that is on its way.
final class FirstTries: Sendable {
  typealias Ended = (range: OffsetRange, outcome: FirstTry)

  private struct State {
    var ended: [Ended] = []
    var loop: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  /// - Returns: wakes the loop, if it waits.
  func add(_ range: OffsetRange, _ outcome: FirstTry) -> Wake? {
    let loop = state.withLock { state in
      state.ended.append((range, outcome))
      defer { state.loop = nil }
      return state.loop
    }
    guard let loop else { return nil }
    return { loop.resume() }
  }

  /// Waits until there are some, and takes them. One task at a time.
  ///
  /// - Parameter heedsCancellation: whether a cancellation ends the wait, perhaps with none. Those that are called off end
  ///   as well, and are waited for without.
  func next(heedsCancellation: Bool) async -> [Ended] {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isThere = state.withLock { state in
          // Looked at under the lock that the handler takes, so that neither misses the other.
          if !state.ended.isEmpty || (heedsCancellation && Task.isCancelled) { return true }
          state.loop = continuation
          return false
        }
        if isThere { continuation.resume() }
      }
    } onCancel: {
      guard heedsCancellation else { return }
      let loop = state.withLock { state in
        defer { state.loop = nil }
        return state.loop
      }
      loop?.resume()
    }
    return state.withLock { state in
      defer { state.ended = [] }
      return state.ended
    }
  }
}
