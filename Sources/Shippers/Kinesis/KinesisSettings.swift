import ArgumentParser
import Base

/// The settings of records and the Kinesis stream that they are put into.
package struct KinesisSettings: Sendable, Equatable {
  /// Whether the `kinesis` consumer is enabled.
  package let isEnabled: Bool
  /// nil: none is named, and the consumer is not enabled.
  package let stream: String?

  static let write = Setting("KINESIS_WRITE", default: "0", .zeroOrOne, "Put records into a Kinesis stream")
  static let stream = Setting<String?>(
    "KINESIS_STREAM", .kinesisStream, "Kinesis stream for the records; needed with KINESIS_WRITE=1")

  package struct Flags: DestinationFlags {
    package typealias Settings = KinesisSettings

    @Option(KinesisSettings.write) var write: String?
    @Option(KinesisSettings.stream) var stream: String?

    package init() {}
  }

  package init(_ reader: inout SettingReader) {
    isEnabled = reader.value(Self.write, \Flags.write)
    stream = reader.value(Self.stream, \Flags.stream)
    if isEnabled { reader.require(Self.stream, \Flags.stream, because: "\(Self.write.name) is 1") }
  }
}

extension Rule where Value == String {
  /// Reference: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
  static var kinesisStream: Rule {
    Rule(
      allowed: "the name of a Kinesis stream (1 to 128 letters, digits, underscores, hyphens and dots)",
      placeholder: "stream",
      parse: { text throws(BadText) in
        guard (1...128).contains(text.utf8.count),
          text.utf8.allSatisfy({ Text.isLetterOrDigit($0) || "_-.".utf8.contains($0) })
        else { throw BadText() }
        return text
      })
  }
}
