import Logging
import Synchronization

/// What the service clients share: transport, credentials, region, endpoints and the server's clock.
public final class AWSClient: Sendable {
  public let region: String
  public let endpoints: Endpoints
  private let transport: any HTTPTransport
  private let credentials: CredentialCache
  private let clock: any Clock<Duration>
  private let now: @Sendable () -> Int
  private let logger: Logger
  /// Seconds that the server's clock is ahead of this machine's, where it has complained.
  private let clockOffset = Atomic(0)

  /// `clock` times the waits between attempts; `now` is the wall clock, epoch seconds UTC.
  public init(
    transport: any HTTPTransport, credentials: any CredentialProvider, region: String,
    endpoints: Endpoints = Endpoints(), clock: any Clock<Duration> = ContinuousClock(),
    now: @escaping @Sendable () -> Int = WallClock.now, logger: Logger = Logger(label: "aws")
  ) {
    self.transport = transport
    self.credentials = CredentialCache(credentials)
    self.region = region
    self.endpoints = endpoints
    self.clock = clock
    self.now = now
    self.logger = logger
  }

  /// Sends until an answer's status is `accepted`, or as `retry` says. Throws `AWSError` or `CancellationError`.
  func call(
    _ operation: Operation, _ request: HTTPRequest, retry: Retry, accepting accepted: (HTTPResponse) -> Bool
  ) async throws -> HTTPResponse {
    var generator = SystemRandomNumberGenerator()
    var attempt = 1
    while true {
      do {
        return try await self.attempt(operation, request, accepting: accepted)
      } catch let error as AWSError {
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
    _ operation: Operation, _ unsigned: HTTPRequest, accepting accepted: (HTTPResponse) -> Bool
  ) async throws -> HTTPResponse {
    let signedAt = now() + clockOffset.load(ordering: .relaxed)
    let keys = try await keys(operation, now: signedAt)
    var request = unsigned
    operation.signer.sign(&request, credentials: keys, epochSeconds: signedAt) { day in
      operation.signingKeys.key(keys, day: day)
    }
    let response = try await answer(operation, request)
    if accepted(response) { return response }

    let classifier = AWSErrorClassifier(operation: operation.name, signedAt: signedAt, now: now())
    var error = classifier.error(response)
    error.message = Self.redacted(error.message, keys)
    react(to: error, keys)
    throw error
  }

  private func keys(_ operation: Operation, now: Int) async throws -> Credentials {
    do {
      return try await credentials.credentials(now: now)
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

  private func react(to error: AWSError, _ keys: Credentials) {
    switch error.kind {
    case .credentialsRefused:
      credentials.invalidate(rejected: keys)
    case .clockSkewed:
      guard let date = error.date else { return }
      let offset = date - now()
      let known = clockOffset.exchange(offset, ordering: .relaxed)
      // All requests in flight are refused at once; the first one says so.
      guard abs(known - offset) > 60 else { return }
      logger.warning(
        "this machine's clock differs from the server's; signing by the server's from now on",
        metadata: ["ahead_seconds": "\(-offset)"])
    default: break
    }
  }

  /// No service is known to quote these, but a log is no place to find out.
  private static func redacted(_ message: String, _ keys: Credentials) -> String {
    var message = message
    for secret in [keys.secretAccessKey, keys.sessionToken ?? ""] where !secret.isEmpty {
      message = message.replacing(secret, with: "<secret>")
    }
    return message
  }
}

/// What is the same for all requests of one kind.
struct Operation: Sendable {
  var name: String
  var signer: SigV4Signer
  var signingKeys: SigningKeyCache
}
