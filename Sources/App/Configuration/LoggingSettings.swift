import ArgumentParser
import Base
import Logging
import Shippers

/// The messages that the program writes, by severity and form: every command has these.
struct LoggingSettings: Sendable, Equatable {
  /// The least severe level that is written.
  let level: Logger.Level
  let format: LogFormat

  static let logLevel = Setting(
    "LOG_LEVEL", default: "info", .logLevel, "Least severe messages to write to stderr")
  static let logFormat = Setting(
    "LOG_FORMAT", default: "text", Rule<LogFormat>.oneOf, "Messages as text, or as JSON, one object a line")

  struct Flags: ParsableArguments, Sendable {
    @Option(LoggingSettings.logLevel) var logLevel: String?
    @Option(LoggingSettings.logFormat) var logFormat: String?
  }

  init(_ reader: inout SettingReader) {
    level = reader.value(Self.logLevel, \Flags.logLevel)
    format = reader.value(Self.logFormat, \Flags.logFormat)
  }
}

extension Rule where Value == Logger.Level {
  static var logLevel: Rule {
    let words = Logger.Level.allCases.map(\.rawValue)
    return Rule(
      allowed: words.dropLast().joined(separator: ", ") + " or " + words[words.count - 1],
      placeholder: "level",
      parse: { text throws(BadText) in
        let word = Text.trimmed(text).lowercased()
        guard let level = Logger.Level(rawValue: word == "warn" ? "warning" : word) else { throw BadText() }
        return level
      })
  }
}
