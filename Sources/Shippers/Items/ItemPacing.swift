import Synchronization

/// The state that the deliveries of one item sink share: how many there may be, and how often the table refused.
final class ItemPacing: Sendable {
  private let state: Mutex<(limit: AdaptiveLimit, refusals: RefusalPolicy)>

  init(concurrency: Int) {
    state = Mutex((AdaptiveLimit(maximum: concurrency), RefusalPolicy()))
  }

  var limit: Int { state.withLock { $0.limit.value } }
  func throttled() { state.withLock { $0.limit.throttled() } }

  /// - Returns: how many items became dead letters before a hold that is over now.
  func accepted() -> Int {
    state.withLock { state in
      state.limit.succeeded()
      return state.refusals.accepted()
    }
  }

  func refused(_ refusal: ItemRefusal, keysAreRight: Bool) -> RefusalPolicy.Verdict {
    state.withLock { $0.refusals.refused(refusal, keysAreRight: keysAreRight) }
  }
}
