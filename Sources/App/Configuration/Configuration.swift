import ArgumentParser

/// Everything that is configured, checked, and where each value came from. Does not change while running.
struct Configuration: Sendable {
  let log: LogSettings
  let logging: LoggingSettings
  let writer: WriterSettings
  let space: SpaceSettings
  let aws: AWSSettings
  let s3: S3Settings
  let dynamo: DynamoSettings
  let feed: FeedSettings
  let stop: StopSettings
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
    s3 = S3Settings(&reader)
    dynamo = DynamoSettings(&reader)
    feed = FeedSettings(&reader)
    log = LogSettings(&reader)
    logging = LoggingSettings(&reader)
    writer = WriterSettings(&reader)
    space = SpaceSettings(&reader)
    stop = StopSettings(&reader)
    reader.warnOfUnknownNames()
    guard reader.problems.isEmpty else { throw BadSettings(problems: reader.problems) }
    entries = reader.entries
    warnings = reader.warnings
  }
}

/// The flags of one command.
protocol SettingFlags: ParsableArguments, Sendable {
  var groups: [any ParsableArguments] { get }
}

/// For commands that only read the log: `status`, `verify`.
struct ReadFlags: SettingFlags {
  @OptionGroup(title: "The log") var log: LogSettings.Flags
  @OptionGroup(title: "Messages") var logging: LoggingSettings.Flags
  var groups: [any ParsableArguments] { [log, logging] }
}

/// For commands that write the log and nothing else: `import`, `adopt`.
struct WriteFlags: SettingFlags {
  @OptionGroup(title: "The log") var log: LogSettings.Flags
  @OptionGroup(title: "The log") var writer: WriterSettings.Flags
  @OptionGroup(title: "Messages") var logging: LoggingSettings.Flags
  var groups: [any ParsableArguments] { [log, writer, logging] }
}

/// For commands that deliver without a feed: `ship`, `replay`.
struct ShipFlags: SettingFlags {
  @OptionGroup(title: "AWS") var aws: AWSSettings.Flags
  @OptionGroup(title: "S3") var s3: S3Settings.Flags
  @OptionGroup(title: "DynamoDB") var dynamo: DynamoSettings.Flags
  @OptionGroup(title: "The log") var log: LogSettings.Flags
  @OptionGroup(title: "The log") var writer: WriterSettings.Flags
  @OptionGroup(title: "The log") var space: SpaceSettings.Flags
  @OptionGroup(title: "Messages") var logging: LoggingSettings.Flags
  @OptionGroup(title: "Stopping") var stop: StopSettings.Flags
  var groups: [any ParsableArguments] { [aws, s3, dynamo, log, writer, space, logging, stop] }
}

/// For `run`, and for `config`, which shows what `run` would use.
struct RunFlags: SettingFlags {
  @OptionGroup(title: "AWS") var aws: AWSSettings.Flags
  @OptionGroup(title: "S3") var s3: S3Settings.Flags
  @OptionGroup(title: "DynamoDB") var dynamo: DynamoSettings.Flags
  @OptionGroup(title: "The feed") var feed: FeedSettings.Flags
  @OptionGroup(title: "The log") var log: LogSettings.Flags
  @OptionGroup(title: "The log") var writer: WriterSettings.Flags
  @OptionGroup(title: "The log") var space: SpaceSettings.Flags
  @OptionGroup(title: "Messages") var logging: LoggingSettings.Flags
  @OptionGroup(title: "Stopping") var stop: StopSettings.Flags
  var groups: [any ParsableArguments] { [aws, s3, dynamo, feed, log, writer, space, logging, stop] }
}
