import ArgumentParser
import Logging

/// Where the log is and how the program speaks: every command has these.
struct LogSettings: Sendable, Equatable {
  /// The log's file.
  let path: WALPath
  /// The least severe level that is written.
  let level: Logger.Level
  let format: LogFormat

  static let walPath = Setting(
    "WAL_PATH", default: "./ticks.db", .walPath, "File of the log; its folder must exist and be writable")
  static let logLevel = Setting(
    "LOG_LEVEL", default: "info", .logLevel, "Least severe messages to write to stderr")
  static let logFormat = Setting(
    "LOG_FORMAT", default: "text", Rule<LogFormat>.oneOf, "Messages as text, or as JSON, one object a line")

  struct Flags: ParsableArguments, Sendable {
    @Option(LogSettings.walPath) var walPath: String?
    @Option(LogSettings.logLevel) var logLevel: String?
    @Option(LogSettings.logFormat) var logFormat: String?
  }

  init(_ reader: inout SettingReader) {
    path = reader.value(Self.walPath, \Flags.walPath)
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
      parse: { text throws(Refusal) in
        let word = Text.trimmed(text).lowercased()
        guard let level = Logger.Level(rawValue: word == "warn" ? "warning" : word) else { throw Refusal() }
        return level
      })
  }
}
