import Logging
import Synchronization

/// What was logged, for tests that look at it.
public final class RecordedLogs: Sendable {
  public struct Entry: Sendable {
    public let level: Logger.Level
    public let message: String
    public let metadata: Logger.Metadata
  }

  private let recorded = Mutex<[Entry]>([])

  public init() {}

  public var entries: [Entry] { recorded.withLock { $0 } }

  /// Forgets what was logged so far.
  public func removeAll() { recorded.withLock { $0.removeAll() } }

  public func messages(_ level: Logger.Level) -> [String] {
    entries.filter { $0.level == level }.map(\.message)
  }

  /// A logger whose every message ends up here.
  public var logger: Logger { Logger(label: "test") { _ in Handler(logs: self) } }

  private struct Handler: LogHandler {
    let logs: RecordedLogs
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let entry = Entry(
        level: event.level, message: "\(event.message)",
        metadata: metadata.merging(event.metadata ?? [:]) { $1 }.mapValues(Self.text))
      logs.recorded.withLock { $0.append(entry) }
    }

    /// Numbers as their text, so that they are equal to literals.
    private static func text(_ value: Logger.MetadataValue) -> Logger.MetadataValue {
      switch value {
      case .string: value
      case .stringConvertible(let convertible): .string(convertible.description)
      case .array(let values): .array(values.map(text))
      case .dictionary(let members): .dictionary(members.mapValues(text))
      }
    }
  }
}
