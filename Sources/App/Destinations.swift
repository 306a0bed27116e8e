import ArgumentParser
import Base
import Shippers
import WAL

/// The destinations that the program knows: one line each, in the order of the documentation. Everything else
/// about a destination is in its folder of `Shippers`.
struct Destinations: ParsableArguments, Sendable {
  @OptionGroup(title: "S3") var s3: S3Settings.Flags
  @OptionGroup(title: "DynamoDB") var dynamo: DynamoSettings.Flags
  @OptionGroup(title: "Kinesis") var kinesis: KinesisSettings.Flags
}

extension Destinations {
  /// The kinds of settings, in the order of the list.
  static let kinds = Mirror(reflecting: Destinations()).children.compactMap {
    ($0.value as? any Listed)?.kind
  }

  /// The names in `replay --to`.
  static var names: [String] { kinds.map { $0.name } }

  /// The consumers that a log may have, those of `--local` too.
  static var consumers: [ConsumerKind] {
    kinds.map { $0.consumers.remote } + kinds.map { $0.consumers.local }
  }

  /// The flags as they were given, one group a destination.
  var groups: [any ParsableArguments & Sendable] {
    Mirror(reflecting: self).children.compactMap { ($0.value as? any Listed)?.flags }
  }

  /// The place that a consumer's destination means, for people: `s3://bucket/folder`.
  ///
  /// - Parameter address: JSON, as the log has it.
  static func text(ofAddress address: String) -> String {
    kinds.lazy.compactMap { $0.text(ofAddress: address) }.first
      ?? Shippers.folder(ofAddress: address) ?? Text.oneLine(address, limit: 1_000)
  }

  static func settings(_ reader: inout SettingReader) -> [any DestinationSettings] {
    var settings: [any DestinationSettings] = []
    for kind in kinds { settings.append(kind.init(&reader)) }
    return settings
  }
}

/// A line of the list, as reflection finds it.
private protocol Listed {
  var kind: any DestinationSettings.Type { get }
  var flags: any ParsableArguments & Sendable { get }
}

extension OptionGroup: Listed where Value: DestinationFlags {
  fileprivate var kind: any DestinationSettings.Type { Value.Settings.self }
  fileprivate var flags: any ParsableArguments & Sendable { wrappedValue }
}
