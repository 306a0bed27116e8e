import ArgumentParser

/// How the log's writer groups its commits: for the commands that append.
struct WriterSettings: Sendable, Equatable {
  /// How long the oldest request waits for company; zero: as soon as the previous commit returned.
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
