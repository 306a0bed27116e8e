/// How often a call is tried, how long it waits in between, and who hears of it.
public struct Retry: Sendable {
  /// One attempt that did not succeed.
  public struct Failure: Sendable {
    /// Counts from 1.
    public var attempt: Int
    public var error: AWSError
    /// Until the next attempt; nil when this was the last.
    public var delay: Duration?

    public init(attempt: Int, error: AWSError, delay: Duration?) {
      self.attempt = attempt
      self.error = error
      self.delay = delay
    }
  }

  /// nil: for ever, until the task is cancelled.
  public var maximumAttempts: Int?
  public var backoff: Backoff
  /// Called for each failed attempt, before the wait, on the calling task.
  public var onFailure: @Sendable (Failure) -> Void

  public init(
    maximumAttempts: Int?, backoff: Backoff = Backoff(),
    onFailure: @escaping @Sendable (Failure) -> Void = { _ in }
  ) {
    self.maximumAttempts = maximumAttempts
    self.backoff = backoff
    self.onFailure = onFailure
  }

  /// A single attempt.
  public static let never = Retry(maximumAttempts: 1)

  /// Until it succeeds, fails for good or the task is cancelled.
  public static func forever(onFailure: @escaping @Sendable (Failure) -> Void) -> Retry {
    Retry(maximumAttempts: nil, onFailure: onFailure)
  }
}
