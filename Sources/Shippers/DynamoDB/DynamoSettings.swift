import ArgumentParser
import Base

/// The settings of items and their table.
package struct DynamoSettings: Sendable, Equatable {
  /// Whether the `dynamodb` consumer is enabled.
  package let isEnabled: Bool
  package let items: ItemSettings

  static let write = Setting("DYNAMO_WRITE", default: "1", .zeroOrOne, "Ship items to DynamoDB")
  static let table = Setting(
    "DYNAMO_TABLE_NAME", default: "crypto-live-miniticker", .table, "Table for the items")
  static let writeMode = Setting(
    "DYNAMO_WRITE_MODE", default: "update", Rule<ItemSettings.WriteMode>.oneOf,
    "An UpdateItem for each tick, or a BatchWriteItem for up to 25")
  static let concurrency = Setting(
    "DYNAMO_CONCURRENCY", default: "20", .wholeNumber(1...1_000, "requests"), "Requests at a time")
  static let retentionDays = Setting(
    "RETENTION_TTL_DAYS", default: "1", unit: "days", .wholeNumber(1...36_500, "days"),
    "Days until an item expires (its ttl_days)")

  package struct Flags: DestinationFlags {
    package typealias Settings = DynamoSettings

    @Option(DynamoSettings.write) var write: String?
    @Option(DynamoSettings.table) var table: String?
    @Option(DynamoSettings.writeMode) var writeMode: String?
    @Option(DynamoSettings.concurrency) var concurrency: String?
    @Option(DynamoSettings.retentionDays) var retentionDays: String?

    package init() {}
  }

  package init(_ reader: inout SettingReader) {
    isEnabled = reader.value(Self.write, \Flags.write)
    let table = reader.value(Self.table, \Flags.table)
    let writeMode = reader.value(Self.writeMode, \Flags.writeMode)
    let concurrency = reader.value(Self.concurrency, \Flags.concurrency)
    items = ItemSettings(
      table: table, writeMode: writeMode, concurrency: concurrency,
      retentionDays: reader.value(Self.retentionDays, \Flags.retentionDays))
  }
}
