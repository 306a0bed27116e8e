import Synchronization

/// A request to stop that may come before anybody listens for it.
final class StopSignal: Sendable {
  private struct State {
    var isRaised = false
    var callback: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  func raise() {
    let callback = state.withLock { state in
      state.isRaised = true
      defer { state.callback = nil }
      return state.callback
    }
    callback?()
  }

  /// Calls back once, perhaps at once.
  func whenRaised(_ callback: @escaping @Sendable () -> Void) {
    let isRaised = state.withLock { state in
      if !state.isRaised { state.callback = callback }
      return state.isRaised
    }
    if isRaised { callback() }
  }
}
