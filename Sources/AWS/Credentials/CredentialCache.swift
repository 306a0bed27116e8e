import Logging
import Synchronization

/// Remembers what a provider said; asks it anew before that expires, or when a service refuses it. One task asks, the
/// others wait.
final class CredentialCache: Sendable {
  private typealias Waiter = CheckedContinuation<Void, any Error>

  private struct State {
    var credentials = CredentialState()
    var lastError: (any Error)?
    var source: String?
    /// The expiry of keys that had come expired, when that was said last.
    var saidExpired: Int?
    var waiters: [ObjectIdentifier: Waiter] = [:]
  }

  private final class Ticket: Sendable {}

  private let provider: any CredentialProvider
  private let logger: Logger
  private let jitter: @Sendable () -> Double
  private let state = Mutex(State())

  /// `jitter` gives numbers from 0 to 1.
  init(
    _ provider: any CredentialProvider, logger: Logger,
    jitter: @escaping @Sendable () -> Double = { Double.random(in: 0...1) }
  ) {
    self.provider = provider
    self.logger = logger
    self.jitter = jitter
  }

  /// `now` is seconds of a clock that nobody sets; `wall` is epoch seconds UTC, for keys whose giver tells no time.
  /// Throws what the provider throws while there are no keys at all, or `CancellationError`.
  func credentials(now: Int, wall: Int) async throws -> Credentials {
    while true {
      let (step, lastError) = state.withLock { ($0.credentials.step(now: now), $0.lastError) }
      switch step {
      case .use(let credentials): return credentials
      case .load: return try await load(now: now, wall: wall)
      case .wait: try await wait()
      case .fail: throw lastError ?? CredentialError(.unavailable, "no credentials yet")
      }
    }
  }

  /// Whether there are keys, and the seconds until they expire; nil without keys, and for keys that do not. `now` as above.
  func expiry(now: Int) -> (hasKeys: Bool, secondsLeft: Int?) {
    state.withLock { ($0.source != nil, $0.credentials.secondsLeft(now: now)) }
  }

  /// The credentials that serve now; `nil` if somebody has to ask for them first, which `credentials` does.
  func ready(now: Int) -> Credentials? {
    // A copy takes the step: nobody is told to ask.
    var credentials = state.withLock { $0.credentials }
    guard case .use(let ready) = credentials.step(now: now) else { return nil }
    return ready
  }

  /// Has the provider asked anew, unless that has happened since these were handed out. `now` as above.
  func invalidate(rejected: Credentials, now: Int) {
    state.withLock { $0.credentials.invalidate(rejected, now: now) }
  }

  private func load(now: Int, wall: Int) async throws -> Credentials {
    do {
      let credentials = try await provider.credentials()
      let lifetime = credentials.lifetime(at: wall)
      let jitter = jitter()
      let (failures, isNew) = state.withLock { state in
        defer { state.source = credentials.source }
        return (state.credentials.failures, state.source != credentials.source)
      }
      release(.success(())) {
        $0.credentials.loaded(credentials, lifetime: lifetime, now: now, jitter: jitter)
      }
      if let lifetime, lifetime <= 0 { sayExpired(credentials, since: -lifetime) }
      if isNew || failures > 0 {
        var metadata: Logger.Metadata = ["source": "\(credentials.source)"]
        if failures > 0 { metadata["failed_attempts"] = .stringConvertible(failures) }
        logger.info("got credentials", metadata: metadata)
      }
      return credentials
    } catch let error as CancellationError {
      release(.success(())) { $0.credentials.abandoned() }
      throw error
    } catch {
      let (old, left) = state.withLock { state in
        state.lastError = error
        return (state.credentials.failed(now: now), state.credentials.secondsLeft(now: now))
      }
      release(old == nil ? .failure(error) : .success(())) { _ in }
      guard let old else { throw error }
      sayOldServe(error, secondsLeft: left)
      return old
    }
  }

  private func sayOldServe(_ error: any Error, secondsLeft left: Int?) {
    if let left, left <= 0 {
      logger.warning(
        "the credentials have expired and could not be renewed; they are used all the same, and it is tried again",
        metadata: ["error": "\(error)", "expired_seconds": .stringConvertible(-left)])
    } else {
      logger.warning(
        "the credentials could not be renewed; the old ones serve on, and it is tried again",
        metadata: ["error": "\(error)", "seconds_left": left.map { .stringConvertible($0) } ?? "no end"])
    }
  }

  /// Once for each expiry: the source is asked every minute.
  private func sayExpired(_ credentials: Credentials, since seconds: Int) {
    let isNew = state.withLock { state in
      defer { state.saidExpired = credentials.expiration }
      return state.saidExpired != credentials.expiration
    }
    guard isNew else { return }
    logger.warning(
      "the source gives credentials that say they have expired; they are used all the same, and newer ones are asked for every minute",
      metadata: ["source": "\(credentials.source)", "expired_seconds": .stringConvertible(seconds)])
  }

  private func release(_ result: Result<Void, any Error>, _ change: (inout State) -> Void) {
    let waiters = state.withLock { state in
      change(&state)
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
