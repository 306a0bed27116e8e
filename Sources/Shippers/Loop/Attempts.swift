import AWS
import Logging

/// Tries a call again for as long as it fails, with capped, jittered back-off, and reports it.
struct Attempts: Sendable {
  let reporter: TroubleReporter
  let sleep: @Sendable (Duration) async throws -> Void
  var backoff = Backoff(base: .milliseconds(100), cap: .seconds(20))

  init(reporter: TroubleReporter, clock: ShippingClock) {
    self.reporter = reporter
    sleep = clock.sleep
  }

  /// - Parameters:
  ///   - doing: completes "could not".
  ///   - key: what it is done to.
  /// - Throws: `CancellationError` alone.
  func untilDone<T: Sendable>(
    _ doing: String, key: String, _ operation: () async throws -> T
  ) async throws -> T {
    var generator = SystemRandomNumberGenerator()
    var attempt = 0
    while true {
      do {
        let result = try await operation()
        reporter.succeeded()
        return result
      } catch {
        try Task.checkCancellation()
        attempt += 1
        failed(error, doing, key: key)
        let retryAfter = (error as? AWSError)?.retryAfter
        try await sleep(backoff.delay(afterAttempt: attempt, retryAfter: retryAfter, using: &generator))
      }
    }
  }

  private func failed(_ error: any Error, _ doing: String, key: String) {
    reporter.failed(
      "could not deliver: trying again until it works",
      cause: (error as? AWSError)?.code.rawValue ?? "\(type(of: error))",
      ["doing": "\(doing)", "key": "\(key)", "error": "\(error)"])
  }

  /// How often a held consumer looks again.
  static let holdInterval = Duration.seconds(60)

  /// Says that the consumer waits for the operator, and waits until it is time to look again.
  /// - Throws: `CancellationError`.
  func hold(_ message: Logger.Message, _ details: Logger.Metadata) async throws {
    reporter.held(message, details)
    defer { reporter.released() }
    try await sleep(Self.holdInterval)
  }

  /// The wait after a try that did not fail and led nowhere.
  /// - Parameter attempt: counted from 1.
  /// - Throws: `CancellationError`.
  func pause(afterAttempt attempt: Int) async throws {
    var generator = SystemRandomNumberGenerator()
    try await sleep(backoff.delay(afterAttempt: attempt, using: &generator))
  }
}
