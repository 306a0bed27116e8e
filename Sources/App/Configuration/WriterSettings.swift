import ArgumentParser
import Base
import Shippers

/// The grouping of commits by the log's writer: for the commands that append.
struct WriterSettings: Sendable, Equatable {
  /// The time for which the oldest request waits for company; zero: as soon as the previous commit returned.
  let commitLinger: Duration

  static let commitLinger = Setting(
    "COMMIT_LINGER_MS", default: "5", unit: "ms", .milliseconds(0...60_000),
    "Longest wait of a tick for others to share its commit with")

  struct Flags: ParsableArguments, Sendable {
    @Option(WriterSettings.commitLinger) var commitLingerMs: String?
  }

  init(_ reader: inout SettingReader) {
    commitLinger = reader.value(Self.commitLinger, \Flags.commitLingerMs)
  }
}
