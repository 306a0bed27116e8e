import Synchronization
import WAL

/// The deliveries that are confirmed and not committed. It grows until the writer makes the commit, which so holds what
/// is confirmed then, and not only what was when it was asked for.
///
/// One commit at a time takes from it.
final class PendingCommit<Confirmation: Sendable>: Sendable {
  typealias Confirmed = DeliveryWindow<Confirmation>.Confirmed

  private struct State {
    var waiting: Confirmed?
    /// The content of the commit that is being made.
    var taken: Confirmed?
    var isHurried = false
  }

  private let state = Mutex(State())

  /// - Parameter confirmed: follows what was added before.
  func add(_ confirmed: Confirmed) {
    state.withLock { state in
      if state.waiting?.append(confirmed) == nil { state.waiting = confirmed }
    }
  }

  /// All that is there, for the commit that is being made; where that is tried again, what has come meanwhile as well.
  func take() -> Confirmed {
    state.withLock { state in
      if let waiting = state.waiting.take(), state.taken?.append(waiting) == nil { state.taken = waiting }
      guard let taken = state.taken else { preconditionFailure("a commit of nothing") }
      return taken
    }
  }

  /// The commit is durable.
  /// - Returns: what it held.
  func committed() -> Confirmed {
    state.withLock { state in
      guard let taken = state.taken else { preconditionFailure("a commit that took nothing") }
      (state.taken, state.isHurried) = (nil, false)
      return taken
    }
  }

  /// The commit that is under way shall wait for nothing more; to be said before ``TickLog/hurry()``.
  func hurry() { state.withLock { $0.isHurried = true } }

  var isHurried: Bool { state.withLock { $0.isHurried } }

  /// Whether there is something for a commit that is asked for now.
  var isEmpty: Bool { state.withLock { $0.waiting == nil } }
}
