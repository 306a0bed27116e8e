import Synchronization

/// An `AttemptBudget` for each service, shared by all who call it.
final class AttemptGate: Sendable {
  private let budgets = Mutex<[Service: AttemptBudget]>([:])

  /// Waits for its turn, most often not at all. Throws `CancellationError`.
  func enter(_ service: Service, _ clock: any Clock<Duration>) async throws {
    let wait = change(service) { $0.enter() }
    guard wait > .zero else { return }
    defer { change(service) { $0.leave() } }
    try await clock.sleep(for: wait)
  }

  /// - Returns: whether there is nothing to wait for; if there is, nothing has happened.
  func enterAtOnce(_ service: Service) -> Bool {
    change(service) { budget in
      guard budget.enter() > .zero else { return true }
      budget.leave()
      return false
    }
  }

  /// The end of an attempt, with its error; nil for an answer that counts as the service being well.
  func ended(_ service: Service, _ error: AWSError?) {
    switch error?.kind {
    case .transient where error?.code != .credentialsUnavailable: change(service) { $0.failed() }
    // How fast a service wants to be asked is its callers' business.
    case .throttled: break
    default: change(service) { $0.answered() }
    }
  }

  private func change<Result: Sendable>(
    _ service: Service, _ body: (inout AttemptBudget) -> Result
  ) -> Result {
    budgets.withLock { body(&$0[service, default: AttemptBudget()]) }
  }
}
