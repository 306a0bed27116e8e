import Base

/// The rule for repeating a call: how often it is tried, how long it waits in between, and who hears of it.
package struct Retry: Sendable {
  /// One attempt that did not succeed.
  package struct Failure: Sendable {
    /// Counts from 1.
    package var attempt: Int
    package var error: AWSError
    /// Until the next attempt; nil when this was the last.
    package var delay: Duration?

    package init(attempt: Int, error: AWSError, delay: Duration?) {
      self.attempt = attempt
      self.error = error
      self.delay = delay
    }
  }

  /// nil: for ever, until the task is cancelled.
  package var maximumAttempts: Int?
  package var backoff: Backoff
  /// Called for each failed attempt, before the wait, on the calling task.
  package var onFailure: @Sendable (Failure) -> Void

  package init(
    maximumAttempts: Int?, backoff: Backoff = Backoff(),
    onFailure: @escaping @Sendable (Failure) -> Void = { _ in }
  ) {
    self.maximumAttempts = maximumAttempts
    self.backoff = backoff
    self.onFailure = onFailure
  }

  /// A single attempt.
  package static let never = Retry(maximumAttempts: 1)

  /// Until it succeeds, fails for good or the task is cancelled.
  package static func forever(onFailure: @escaping @Sendable (Failure) -> Void) -> Retry {
    Retry(maximumAttempts: nil, onFailure: onFailure)
  }
}
