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

  /// Says that the consumer waits for the operator.
  func hold(_ message: Logger.Message, _ details: Logger.Metadata) {
    reporter.failed(message, cause: "\(message)", details)
  }

  func pause(_ duration: Duration) async throws {
    try await sleep(duration)
  }
}
