import Base
import Logging

/// The settings in force, for people, for programs and for the log line at start. Nothing secret is in it.
extension Configuration {
  var table: TextTable {
    TextTable(
      .init("setting"), .init("value"), .init("from"),
      rows: entries.map { [$0.name, Self.shown($0), $0.source.rawValue] })
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
  var metadata: Logger.Metadata {
    Logger.Metadata(uniqueKeysWithValues: entries.map { ($0.name, .string($0.value ?? "")) })
  }

  private static func shown(_ entry: SettingEntry) -> String {
    guard let value = entry.value else { return "(unset)" }
    if value.isEmpty { return "(empty)" }
    return SettingName.withUnit(value, entry.unit)
  }
}
