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
        let response = try await self.attempt(operation, request, damage: damage, accepting: accepted)
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
        guard let delay else { throw error }
        try await clock.sleep(for: delay)
        attempt += 1
      }
    }
  }

  private func attempt(
    _ operation: Operation, _ unsigned: HTTPRequest, damage: (HTTPResponse) -> String?,
    accepting accepted: (HTTPResponse) -> Bool
  ) async throws -> HTTPResponse {
    let (lead, round) = serverClock.state.withLock { ($0.lead, $0.round) }
    let signedAt = now() + lead
    var request = unsigned
    var keys: Credentials?
    if let (signer, signingKeys) = operation.signing {
      let found = try await self.keys(operation, wall: signedAt)
      signer.sign(&request, credentials: found, epochSeconds: signedAt) { signingKeys.key(found, day: $0) }
      keys = found
    }
    let response = try await answer(operation, request)
    if let damage = damage(response) {
      throw AWSError(
        .unexpectedAnswer, .transient, operation: operation.name, status: response.status, message: damage,
        requestID: response.requestID)
    }
    if accepted(response) {
      if keys != nil { serverClock.state.withLock { $0.accepted() } }
      return response
    }

    let classifier = AWSErrorClassifier(
      operation: operation.name, signedAt: signedAt, now: now(),
      region: operation.service == .s3 ? region : nil)
    var error = classifier.error(response)
    if let keys {
      error.message = Redaction.redacted(error.message, [keys.secretAccessKey, keys.sessionToken])
    }
    react(to: error, keys, sentIn: round)
    throw error
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
      throw AWSError(
        .transport, error.isRetriable ? .transient : .permanent, operation: operation.name,
        message: error.description)
    }
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
        metadata: ["ahead_seconds": "\(-lead)"])
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
}
