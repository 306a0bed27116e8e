import ArgumentParser

/// How much room the log takes.
struct SpaceSettings: Sendable, Equatable {
  /// How long ticks are kept after they were appended; longer while a consumer has not shipped them.
  let retention: Duration

  static let retention = Setting(
    "WAL_RETENTION_HOURS", default: "24", unit: "hours", .hours(atMost: 87_600),
    "How long the log keeps ticks; longer while they are not shipped")

  struct Flags: ParsableArguments, Sendable {
    @Option(SpaceSettings.retention) var walRetentionHours: String?
  }

  init(_ reader: inout SettingReader) {
    retention = reader.value(Self.retention, \Flags.walRetentionHours)
  }
}
