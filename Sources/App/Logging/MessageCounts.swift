import Logging
import Synchronization

/// The number of messages since the start by severity, those that stderr did not take among them; the figures of
/// `logging_messages_total`. Those that were dropped: ``Console/droppedLines``.
final class MessageCounts: Sendable {
  static let shared = MessageCounts()

  private let counts = Mutex([Int](repeating: 0, count: Logger.Level.allCases.count))

  func add(_ level: Logger.Level) {
    counts.withLock { $0[Self.place(level)] += 1 }
  }

  subscript(level: Logger.Level) -> Int { counts.withLock { $0[Self.place(level)] } }

  private static func place(_ level: Logger.Level) -> Int {
    switch level {
    case .trace: 0
    case .debug: 1
    case .info: 2
    case .notice: 3
    case .warning: 4
    case .error: 5
    case .critical: 6
    }
  }
}
