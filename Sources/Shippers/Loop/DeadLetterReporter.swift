import Logging
import Synchronization
import WAL

/// Says when ticks have become dead letters: at once when the first does, then summed up.
final class DeadLetterReporter: Sendable {
  private let logger: Logger
  private let now: @Sendable () -> Duration
  private let state = Mutex(DeadLetterSummary())

  init(logger: Logger, now: @escaping @Sendable () -> Duration) {
    self.logger = logger
    self.now = now
  }

  /// To be called when they are durable.
  func added(_ letters: [DeadLetter]) {
    guard let letter = letters.first else { return }
    let now = now()
    guard let count = state.withLock({ $0.added(letters.count, now: now) }) else { return }
    logger.warning(
      "ticks became dead letters: they are not delivered; see `tickwal dead-letters list`",
      metadata: [
        "count": .stringConvertible(count),
        "offset": letter.offset.map { .stringConvertible($0.rawValue) } ?? "none",
        "cause": "\(letter.cause.prefix(500))",
      ])
  }
}

/// The rule for when dead letters, or expired ticks, are worth a line: a pure value.
struct DeadLetterSummary {
  static let interval = Duration.seconds(60)

  private var unsaid = 0
  private var lastSaid: Duration?

  /// - Returns: how many to speak of now, those counted in silence included.
  mutating func added(_ count: Int, now: Duration) -> Int? {
    unsaid += count
    if let lastSaid, now - lastSaid < Self.interval { return nil }
    lastSaid = now
    return rest()
  }

  /// - Returns: how many were counted in silence; `nil` for none.
  mutating func rest() -> Int? {
    defer { unsaid = 0 }
    return unsaid > 0 ? unsaid : nil
  }
}
