import Synchronization

/// Commands from any thread to a feed that runs on its event loop, perhaps before it runs.
///
/// Bounded: a newer list of streams takes the place of one that has not been looked at.
final class FeedCommands: Sendable {
  struct Pending: Equatable, Sendable {
    var isStopping = false
    var isRotating = false
    var streams: [String]?
  }

  private struct State {
    var pending = Pending()
    var wake: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  func post(_ change: (inout Pending) -> Void) {
    let wake = state.withLock { state in
      change(&state.pending)
      return state.wake
    }
    wake?()
  }

  /// The commands posted since they were last taken.
  func take() -> Pending {
    state.withLock { state in
      defer { state.pending = Pending() }
      return state.pending
    }
  }

  /// Calls back after each post, and once now.
  func attach(_ wake: @escaping @Sendable () -> Void) {
    state.withLock { $0.wake = wake }
    wake()
  }

  /// Lets go of what the callback holds.
  func detach() { state.withLock { $0.wake = nil } }
}
