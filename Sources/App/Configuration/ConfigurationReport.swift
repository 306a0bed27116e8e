import Base
import Ingest
import Logging

/// The settings in force, for people, for programs and for the log line at start. Nothing secret is in it.
extension Configuration {
  /// What was changed from its default has a star at its end.
  var table: TextTable {
    TextTable(
      .init("setting"), .init("value"), .init("from"), .init(""),
      rows: entries.map { [$0.name, Self.shown($0), $0.source.rawValue, $0.isChanged ? "*" : ""] })
  }

  /// What is to be said below the table.
  var notes: [String] {
    let changed = entries.count(where: \.isChanged)
    let stars =
      changed == 0
      ? "everything has its default" : "* \(Figures.counted(changed, "setting")) changed from the default"
    do throws(FeedError) {
      let endpoint = try FeedEndpoint(url: feed.url?.text, testnet: feed.testnet)
      return [stars, "the feed connects to \(endpoint.shownURL)"] + share
    } catch {
      return [stars, "the feed cannot connect: \(error)"] + share
    }
  }

  private var share: [String] {
    guard let shard = feed.shard else { return [] }
    guard let names = feed.streams?.names else {
      return ["it reads its share of the secret's streams: shard \(shard)"]
    }
    let share = shard.share(of: names).count
    return ["it reads \(Figures.grouped(share)) of \(Figures.counted(names.count, "stream")): shard \(shard)"]
  }

  /// `{"settings":{"NAME":{"value":…,"unit":…,"from":…}},"warnings":[…]}`
  var document: JSONDocument {
    .object([
      "settings": .object(
        entries.map { entry in
          .init(
            key: entry.name,
            value: .object([
              "value": entry.value.map { .string($0) } ?? .null,
              "unit": entry.unit.isEmpty ? .null : .string(entry.unit),
              "from": .string(entry.source.rawValue),
            ]))
        }),
      "warnings": .array(warnings.map { .string($0) }),
    ])
  }

  /// Each setting by its variable's name, for one message at start.
  ///
  /// - Parameter all: also those that have their defaults.
  func metadata(all: Bool) -> Logger.Metadata {
    Logger.Metadata(
      uniqueKeysWithValues: entries.filter { all || $0.isChanged }.map { ($0.name, .string($0.value ?? "")) })
  }

  private static func shown(_ entry: SettingEntry) -> String {
    guard let value = entry.value else { return "(unset)" }
    if value.isEmpty { return "(empty)" }
    return SettingName.withUnit(value, entry.unit)
  }
}
