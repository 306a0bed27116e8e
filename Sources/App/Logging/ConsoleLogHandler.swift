import Base
import Logging
import WAL

/// Writes each message as one line to the console.
struct ConsoleLogHandler: LogHandler {
  private let console: Console
  private let format: LogFormat
  /// Microseconds since 1970.
  private let now: @Sendable () -> Int64
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level
  var metadataProvider: Logger.MetadataProvider?

  init(
    console: Console, format: LogFormat, level: Logger.Level,
    now: @escaping @Sendable () -> Int64 = WallClock.now
  ) {
    self.console = console
    self.format = format
    self.logLevel = level
    self.now = now
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var all = metadata
    if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
    if let given = event.metadata { all.merge(given) { _, new in new } }
    if let error = event.error {
      all["error", default: .string(String(describing: error))] = .string(String(describing: error))
    }
    MessageCounts.shared.add(event.level)
    let line = LogLine(time: now(), level: event.level, message: event.message.description, metadata: all)
    console.writeStyled(line.text(format, style: console.style))
  }

  /// Sends every logger's messages to stderr. Once, at start.
  static func bootstrap(_ settings: LoggingSettings) {
    let style = Console.standardError.style
    Console.standardError.sayDropped { count in
      LogLine(time: WallClock.now(), level: .warning, message: Console.notice(count), metadata: [:])
        .text(settings.format, style: style)
    }
    LoggingSystem.bootstrap(
      { _, provider in
        var handler = ConsoleLogHandler(
          console: .standardError, format: settings.format, level: settings.level)
        handler.metadataProvider = provider
        return handler
      }, metadataProvider: nil)
  }
}
