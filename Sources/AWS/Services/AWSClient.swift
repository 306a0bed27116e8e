import Base
import Logging
import Synchronization

/// The part that the service clients share: transport, credentials, region, endpoints and the server's clock.
package final class AWSClient: Sendable {
  package let region: String
  package let endpoints: Endpoints
  private let transport: any HTTPTransport
  private let credentials: CredentialCache
  private let clock: any Clock<Duration>
  private let now: @Sendable () -> Int
  package let logger: Logger
  private let gate = AttemptGate()
  /// The encryption that S3 is told to use for new objects; nil: as the bucket says.
  let objectEncryption: ObjectEncryption?
  private let serverClock: SharedServerClock
  /// Seconds from any start, by a clock that nobody sets.
  private let elapsed: @Sendable () -> Int

  /// `clock` times the waits between attempts; `now` is the wall clock, epoch seconds UTC.
  package init(
    transport: any HTTPTransport, credentials: any CredentialProvider, region: String,
    endpoints: Endpoints = Endpoints(), clock: any Clock<Duration> = ContinuousClock(),
    now: @escaping @Sendable () -> Int = WallClock.epochSeconds, objectEncryption: ObjectEncryption? = nil,
    logger: Logger = Logger(label: "aws")
  ) {
    self.transport = transport
    self.credentials = CredentialCache(credentials, logger: logger)
    self.region = region
    self.endpoints = endpoints
    self.clock = clock
    self.now = now
    self.objectEncryption = objectEncryption
    self.logger = logger
    serverClock = SharedServerClock()
    elapsed = Self.stopwatch(clock)
  }

  private init(_ other: AWSClient, _ endpoints: Endpoints) {
    transport = other.transport
    credentials = other.credentials
    region = other.region
    self.endpoints = endpoints
    clock = other.clock
    now = other.now
    objectEncryption = other.objectEncryption
    logger = other.logger
    serverClock = other.serverClock
    elapsed = other.elapsed
  }

  private static func stopwatch<C: Clock>(_ clock: C) -> @Sendable () -> Int where C.Duration == Duration {
    let start = clock.now
    return { Int(start.duration(to: clock.now).components.seconds) }
  }

  /// The same with other endpoints: transport, credentials and clock are shared.
  package func reached(at endpoints: Endpoints) -> AWSClient {
    AWSClient(self, endpoints)
  }

  /// The credentials in force, as the next call would use them. Throws `CredentialError` or `CancellationError`.
  @discardableResult
  package func currentCredentials() async throws -> Credentials {
    try await credentials.credentials(now: elapsed(), wall: now() + serverClock.state.withLock { $0.lead })
  }

  /// Epoch seconds UTC: when the keys in force expire; nil without keys, and for keys that do not.
  package var credentialsExpiry: Int? { keysState.secondsLeft.map { now() + $0 } }

  private var keysState: (hasKeys: Bool, secondsLeft: Int?) { credentials.expiry(now: elapsed()) }
  package var hasCredentials: Bool { keysState.hasKeys }

  /// Seconds by which the services' clock is ahead of this machine's, as it was found out; 0 as long as it was not.
  package var clockOffset: Int { serverClock.state.withLock { $0.lead } }

  /// Sends until an answer's status is `accepted`, or as `retry` says. Throws `AWSError` or `CancellationError`.
  ///
  /// `damage` says what shows that an answer is not as it was sent, or about something else than was sent: such
  /// an answer counts for nothing. Errors name the `resource`.
  func call(
    _ operation: Operation, _ request: HTTPRequest, on resource: AWSResource? = nil, retry: Retry,
    damage: (HTTPResponse) -> String? = { _ in nil }, accepting accepted: (HTTPResponse) -> Bool
  ) async throws -> HTTPResponse {
    var generator = SystemRandomNumberGenerator()
    var attempt = 1
    while true {
      do {
        try await gate.enter(operation.service, clock)
        let response = try await measured(operation) {
          try await self.attempt(operation, request, damage: damage, accepting: accepted)
        }
        gate.ended(operation.service, nil)
        return response
      } catch var error as AWSError {
        error.resource = resource
        gate.ended(operation.service, error)
        let isLast = !error.isRetriable || retry.maximumAttempts.map { attempt >= $0 } ?? false
        let delay =
          isLast
          ? nil
          : retry.backoff.delay(afterAttempt: attempt, retryAfter: error.retryAfter, using: &generator)
        retry.onFailure(Retry.Failure(attempt: attempt, error: error, delay: delay))
        guard let delay else {
          // Whoever asks for one attempt has a loop of their own around it.
          if retry.maximumAttempts == 1, error.isRetriable { operation.metrics.retried(error) }
          throw error
        }
        operation.metrics.retried(error)
        try await clock.sleep(for: delay)
        attempt += 1
      }
    }
  }

  private func measured(
    _ operation: Operation, _ attempt: () async throws -> HTTPResponse
  ) async throws -> HTTPResponse {
    let start = MonotonicClock.now()
    do {
      let response = try await attempt()
      operation.metrics.ended(nil, after: MonotonicClock.now() - start)
      return response
    } catch let error as AWSError {
      operation.metrics.ended(error, after: MonotonicClock.now() - start)
      throw error
    }
  }

  private func attempt(
    _ operation: Operation, _ unsigned: HTTPRequest, damage: (HTTPResponse) -> String?,
    accepting accepted: (HTTPResponse) -> Bool
  ) async throws -> HTTPResponse {
    var signing = signing()
    if operation.signing != nil { signing.keys = try await keys(operation, wall: signing.at) }
    let response = try await answer(operation, signed(unsigned, operation, signing))
    return try judged(response, operation, signing, damage: damage, accepting: accepted)
  }

  /// What one attempt is signed with.
  private struct Signing {
    /// Epoch seconds.
    let at: Int
    /// Of the server's clock.
    let round: Int
    var keys: Credentials?
  }

  private func signing() -> Signing {
    let (lead, round) = serverClock.state.withLock { ($0.lead, $0.round) }
    return Signing(at: now() + lead, round: round)
  }

  private func signed(_ unsigned: HTTPRequest, _ operation: Operation, _ signing: Signing) -> HTTPRequest {
    guard let (signer, signingKeys) = operation.signing, let keys = signing.keys else { return unsigned }
    var request = unsigned
    signer.sign(&request, credentials: keys, epochSeconds: signing.at) { signingKeys.key(keys, day: $0) }
    return request
  }

  /// The answer, if it is one that counts. Throws `AWSError` if not, and does what follows from it for later attempts.
  private func judged(
    _ response: HTTPResponse, _ operation: Operation, _ signing: Signing, damage: (HTTPResponse) -> String?,
    accepting accepted: (HTTPResponse) -> Bool
  ) throws(AWSError) -> HTTPResponse {
    if let damage = damage(response) {
      throw AWSError(
        .unexpectedAnswer, .transient, operation: operation.name, status: response.status, message: damage,
        requestID: response.requestID)
    }
    if accepted(response) {
      if signing.keys != nil { serverClock.state.withLock { $0.accepted() } }
      return response
    }

    let classifier = AWSErrorClassifier(
      operation: operation.name, signedAt: signing.at, now: now(),
      region: operation.service == .s3 ? region : nil)
    var error = classifier.error(response)
    if let keys = signing.keys {
      error.message = Redaction.redacted(error.message, [keys.secretAccessKey, keys.sessionToken])
    }
    react(to: error, signing.keys, sentIn: signing.round)
    throw error
  }

  // MARK: Without a task

  /// One attempt without a task of its own, if there is nothing to wait for before it is sent.
  ///
  /// - Parameter completion: as that of ``HTTPTransport/submit(_:_:)``; errors are `AWSError` or `CancellationError`.
  /// - Returns: calls the attempt off; `nil` if nothing was sent and `call` must be used.
  func submit(
    _ operation: Operation, _ unsigned: HTTPRequest, on resource: AWSResource? = nil,
    damage: @escaping @Sendable (HTTPResponse) -> String? = { _ in nil },
    accepting accepted: @escaping @Sendable (HTTPResponse) -> Bool,
    _ completion: @escaping AnswerCompletion
  ) -> CallOff? {
    var signing = signing()
    if operation.signing != nil {
      guard let keys = credentials.ready(now: elapsed()) else { return nil }
      signing.keys = keys
    }
    guard gate.enterAtOnce(operation.service) else { return nil }
    let start = MonotonicClock.now()
    return transport.submit(signed(unsigned, operation, signing)) { [self, signing] answer in
      let result: Result<HTTPResponse, any Error>
      do {
        result = .success(
          try judged(answer.get(), operation, signing, damage: damage, accepting: accepted))
        gate.ended(operation.service, nil)
        operation.metrics.ended(nil, after: MonotonicClock.now() - start)
      } catch {
        let error = (error as? TransportError).map { AWSClient.error($0, operation) } ?? error
        if var error = error as? AWSError {
          error.resource = resource
          gate.ended(operation.service, error)
          operation.metrics.ended(error, after: MonotonicClock.now() - start)
          // The caller goes on with `call`.
          if error.isRetriable { operation.metrics.retried(error) }
          result = .failure(error)
        } else {
          result = .failure(error)
        }
      }
      return completion(result)
    }
  }

  private func keys(_ operation: Operation, wall: Int) async throws -> Credentials {
    do {
      return try await credentials.credentials(now: elapsed(), wall: wall)
    } catch let error as CredentialError {
      throw AWSError(
        .credentialsUnavailable, .credentialsRefused, operation: operation.name, message: error.description)
    }
  }

  private func answer(_ operation: Operation, _ request: HTTPRequest) async throws -> HTTPResponse {
    do {
      return try await transport.send(request)
    } catch let error as TransportError {
      throw AWSClient.error(error, operation)
    }
  }

  private static func error(_ error: TransportError, _ operation: Operation) -> AWSError {
    AWSError(
      error.code == .responseTooLarge ? .answerTooLarge : .transport,
      error.isRetriable ? .transient : .permanent, operation: operation.name,
      message: error.description)
  }

  private func react(to error: AWSError, _ keys: Credentials?, sentIn round: Int) {
    switch error.kind {
    case .credentialsRefused:
      if let keys { credentials.invalidate(rejected: keys, now: elapsed()) }
    case .clockSkewed:
      guard let date = error.date else { return }
      let lead = date - now()
      guard serverClock.state.withLock({ $0.refused(lead: lead, sentIn: round) }) else { return }
      logger.warning(
        "this machine's clock differs from the server's; signing by the server's from now on",
        metadata: ["ahead_seconds": .stringConvertible(-lead)])
    default: break
    }
  }
}

/// The server's clock, shared by clients.
private final class SharedServerClock: Sendable {
  let state = Mutex(ServerClock())
}

/// The part that is the same for all requests of one kind.
struct Operation: Sendable {
  var name: String
  var service: Service
  /// nil: sent without a signature.
  var signing: (signer: SigV4Signer, keys: SigningKeyCache)?
  let metrics: OperationMetrics

  init(name: String, service: Service, signing: (signer: SigV4Signer, keys: SigningKeyCache)?) {
    self.name = name
    self.service = service
    self.signing = signing
    metrics = OperationMetrics(service, name)
  }
}
