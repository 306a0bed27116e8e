import ArgumentParser
import Base
import Shippers
import WAL

/// The room that the log takes, and the limits at which its volume counts as full.
struct SpaceSettings: Sendable, Equatable {
  /// The time for which ticks are kept after they were appended; longer while a consumer has not shipped them.
  let retention: Duration
  let disk: DiskLimits

  static let retention = Setting(
    "WAL_RETENTION_HOURS", default: "24", unit: "hours", .hours(atMost: 87_600),
    "How long the log keeps ticks; longer while they are not shipped")
  static let diskLow = Setting(
    "DISK_LOW", default: "15%", .diskAmount,
    "Free space of the log's volume below which what is shipped is trimmed at once")
  static let diskStop = Setting(
    "DISK_STOP", default: "5%", .diskAmount,
    "Free space of the log's volume below which the feed is paused")
  static let ballastSize = Setting(
    "BALLAST_SIZE", default: "64MiB", .size,
    "File kept beside the log, given up when the volume is full; at most 1% of the volume")

  struct Flags: ParsableArguments, Sendable {
    @Option(SpaceSettings.retention) var walRetentionHours: String?
    @Option(SpaceSettings.diskLow) var diskLow: String?
    @Option(SpaceSettings.diskStop) var diskStop: String?
    @Option(SpaceSettings.ballastSize) var ballastSize: String?
  }

  init(_ reader: inout SettingReader) {
    retention = reader.value(Self.retention, \Flags.walRetentionHours)
    let low = reader.value(Self.diskLow, \Flags.diskLow)
    let stop = reader.value(Self.diskStop, \Flags.diskStop)
    disk = DiskLimits(
      low: low, stop: stop, ballast: reader.value(Self.ballastSize, \Flags.ballastSize))
    if low.isSurelyBelow(stop) {
      reader.warn("DISK_LOW is below DISK_STOP: the feed is paused before anything is trimmed for space")
    }
  }
}

extension DiskLimits.Amount {
  /// Whether it is less on a volume of any size.
  fileprivate func isSurelyBelow(_ other: DiskLimits.Amount) -> Bool {
    switch (self, other) {
    case (.bytes(let own), .bytes(let others)): own < others
    case (.percent(let own), .percent(let others)): own < others
    default: false
    }
  }
}
