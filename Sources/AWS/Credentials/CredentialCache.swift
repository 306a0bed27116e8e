import Synchronization

/// Remembers what a provider said until it expires or a service refuses it; one task asks, the others wait.
final class CredentialCache: Sendable {
  private typealias Waiter = CheckedContinuation<Void, any Error>

  private struct State {
    var credentials = CredentialState()
    var waiters: [ObjectIdentifier: Waiter] = [:]
  }

  private final class Ticket: Sendable {}

  private let provider: any CredentialProvider
  private let state = Mutex(State())

  init(_ provider: any CredentialProvider) {
    self.provider = provider
  }

  /// `now` is epoch seconds UTC. Throws what the provider throws, or `CancellationError`.
  func credentials(now: Int) async throws -> Credentials {
    while true {
      switch state.withLock({ $0.credentials.step(now: now) }) {
      case .use(let credentials): return credentials
      case .load: return try await load(now: now)
      case .wait: try await wait()
      }
    }
  }

  /// Has the provider asked anew, unless that has happened since these were handed out.
  func invalidate(rejected: Credentials) {
    state.withLock { $0.credentials.invalidate(rejected) }
  }

  private func load(now: Int) async throws -> Credentials {
    do {
      let credentials = try await provider.credentials()
      release(.success(())) { $0.loaded(credentials, now: now) }
      return credentials
    } catch is CancellationError {
      release(.success(())) { $0.abandoned() }
      throw CancellationError()
    } catch {
      let old = state.withLock { $0.credentials.failed(now: now) }
      release(old == nil ? .failure(error) : .success(())) { _ in }
      guard let old else { throw error }
      return old
    }
  }

  private func release(_ result: Result<Void, any Error>, _ change: (inout CredentialState) -> Void) {
    let waiters = state.withLock { state in
      change(&state.credentials)
      defer { state.waiters = [:] }
      return Array(state.waiters.values)
    }
    for waiter in waiters { waiter.resume(with: result) }
  }

  private func wait() async throws {
    let ticket = Ticket()
    let id = ObjectIdentifier(ticket)
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (waiter: Waiter) in
        let answer = state.withLock { state -> Result<Void, any Error>? in
          // Looked at under the lock that the cancellation handler takes, so that neither misses the other.
          if Task.isCancelled { return .failure(CancellationError()) }
          guard state.credentials.isLoading else { return .success(()) }
          state.waiters[id] = waiter
          return nil
        }
        if let answer { waiter.resume(with: answer) }
      }
    } onCancel: {
      let waiter = state.withLock { $0.waiters.removeValue(forKey: id) }
      waiter?.resume(throwing: CancellationError())
    }
    withExtendedLifetime(ticket) {}
  }
}
