/// Capped exponential back-off with full jitter.
///
/// Reference: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
public struct Backoff: Sendable {
  public var base: Duration
  public var cap: Duration

  public init(base: Duration = .milliseconds(50), cap: Duration = .seconds(20)) {
    self.base = base
    self.cap = cap
  }
}
