import ArgumentParser
import Base
import Shippers

/// Everything that is configured, checked, and where each value came from. Does not change while running.
struct Configuration: Sendable {
  let log: LogSettings
  let logging: LoggingSettings
  let writer: WriterSettings
  let space: SpaceSettings
  let aws: AWSSettings
  /// In the order of ``Destinations``.
  let destinations: [any DestinationSettings]
  let feed: FeedSettings
  let stop: StopSettings
  let observe: ObserveSettings
  /// The settings that the command uses, in the order of the documentation, safe to show.
  let entries: [SettingEntry]
  /// Settings that are probably not meant, one sentence each.
  let warnings: [String]

  /// Settles flags over environment over defaults.
  /// - Parameter flags: the command's own; settings it has no flag for keep their defaults.
  /// - Throws: `BadSettings` with every mistake found.
  init(flags: some SettingFlags, environment: [String: String]) throws(BadSettings) {
    var reader = SettingReader(environment: environment, groups: flags.groups)
    aws = AWSSettings(&reader, environment: environment)
    destinations = Destinations.settings(&reader)
    feed = FeedSettings(&reader)
    log = LogSettings(&reader)
    logging = LoggingSettings(&reader)
    writer = WriterSettings(&reader)
    space = SpaceSettings(&reader)
    observe = ObserveSettings(&reader)
    stop = StopSettings(&reader)
    reader.warnOfUnknownNames(
      families: Destinations.kinds.flatMap { $0.variableFamilies } + [
        "BINANCE_", "WAL_", "COMMIT_", "FEED_", "STREAMS_", "STREAM_", "DISK_", "BALLAST_", "HTTP_LISTEN",
        "HTTP_ALLOWED",
        "READY_", "HEARTBEAT_",
      ])
    guard reader.problems.isEmpty else { throw BadSettings(problems: reader.problems) }
    entries = reader.entries
    warnings = reader.warnings
  }
}

/// The flags of one command.
protocol SettingFlags: ParsableArguments, Sendable {
  var groups: [any ParsableArguments & Sendable] { get }
}

/// For commands that only read the log: `status`, `verify`.
struct ReadFlags: SettingFlags {
  @OptionGroup(title: "The log") var log: LogSettings.Flags
  @OptionGroup(title: "Messages") var logging: LoggingSettings.Flags
  var groups: [any ParsableArguments & Sendable] { [log, logging] }
}

/// For commands that write the log and nothing else: `import`, `adopt`.
struct WriteFlags: SettingFlags {
  @OptionGroup(title: "The log") var log: LogSettings.Flags
  @OptionGroup(title: "The log") var writer: WriterSettings.Flags
  @OptionGroup(title: "Messages") var logging: LoggingSettings.Flags
  var groups: [any ParsableArguments & Sendable] { [log, writer, logging] }
}

/// For commands that deliver without a feed: `ship`, `replay`.
struct ShipFlags: SettingFlags {
  @OptionGroup(title: "AWS") var aws: AWSSettings.Flags
  @OptionGroup var destinations: Destinations
  @OptionGroup(title: "The log") var log: LogSettings.Flags
  @OptionGroup(title: "The log") var writer: WriterSettings.Flags
  @OptionGroup(title: "The log") var space: SpaceSettings.Flags
  @OptionGroup(title: "Messages") var logging: LoggingSettings.Flags
  @OptionGroup(title: "Stopping") var stop: StopSettings.Flags
  var groups: [any ParsableArguments & Sendable] {
    [aws] + destinations.groups + [log, writer, space, logging, stop]
  }
}

/// For `run`, and for `config`, which shows what `run` would use.
struct RunFlags: SettingFlags {
  @OptionGroup(title: "AWS") var aws: AWSSettings.Flags
  @OptionGroup var destinations: Destinations
  @OptionGroup(title: "The feed") var feed: FeedSettings.Flags
  @OptionGroup(title: "The log") var log: LogSettings.Flags
  @OptionGroup(title: "The log") var writer: WriterSettings.Flags
  @OptionGroup(title: "The log") var space: SpaceSettings.Flags
  @OptionGroup(title: "Messages") var logging: LoggingSettings.Flags
  @OptionGroup(title: "Observing") var observe: ObserveSettings.Flags
  @OptionGroup(title: "Stopping") var stop: StopSettings.Flags
  var groups: [any ParsableArguments & Sendable] {
    [aws] + destinations.groups + [feed, log, writer, space, logging, observe, stop]
  }
}
