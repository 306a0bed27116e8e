import ArgumentParser
import Base
import Shippers

/// The place of the log: every command has it.
struct LogSettings: Sendable, Equatable {
  /// The log's file.
  let path: WALPath

  static let walPath = Setting(
    "WAL_PATH", default: "./ticks.db", .walPath, "File of the log; its folder must exist and be writable")

  struct Flags: ParsableArguments, Sendable {
    @Option(LogSettings.walPath) var walPath: String?
  }

  init(_ reader: inout SettingReader) {
    path = reader.value(Self.walPath, \Flags.walPath)
  }
}
