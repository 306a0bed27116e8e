import ArgumentParser
import Base

/// The settings of batches and their objects.
package struct S3Settings: Sendable, Equatable {
  /// The words of `S3_COMPRESSION`.
  private enum CompressionWord: String, CaseIterable, Sendable {
    case gzip, none
  }

  /// Whether the `s3` consumer is enabled.
  package let isEnabled: Bool
  package let bucket: String
  package let objects: ObjectSettings

  static let write = Setting("S3_WRITE", default: "1", .zeroOrOne, "Ship objects to S3")
  static let bucket = Setting("S3_BUCKET", default: "crypto-live-bucket", .bucket, "Bucket for the objects")
  static let folder = Setting(
    "S3_JSONL_DIR_PATH", default: "batch_jsonl", .keyPrefix, "Folder of the objects in the bucket")
  static let fileName = Setting(
    "S3_FILENAME", default: "miniticker", .fileName, "How each object's own name begins")
  static let keyLayout = Setting(
    "S3_KEY_LAYOUT", default: "hive", Rule<ObjectSettings.Layout>.oneOf,
    "Folders by day and hour (dt=…/hour=…), or none")
  private static let compression = Setting(
    "S3_COMPRESSION", default: "gzip", Rule<CompressionWord>.oneOf,
    "gzip objects (.jsonl.gz), or plain .jsonl")
  static let gzipLevel = Setting(
    "S3_GZIP_LEVEL", default: "6", .wholeNumber(1...9, "level"), "1 is fastest, 9 is smallest")
  static let uploadConcurrency = Setting(
    "S3_UPLOAD_CONCURRENCY", default: "4", .wholeNumber(1...1_000, "uploads"), "Uploads at a time")
  static let maxBatchSize = Setting(
    "MAX_BATCH_SIZE", default: "1000", unit: "rows", .wholeNumber(1...100_000, "rows"),
    "Most rows in one object")
  static let maxBatchTimeout = Setting(
    "MAX_BATCH_TIMEOUT", default: "10", unit: "s", .seconds(atMost: 86_400),
    "Longest wait of a row for its batch to fill; fractions are allowed")

  package struct Flags: DestinationFlags {
    package typealias Settings = S3Settings

    @Option(S3Settings.write) var write: String?
    @Option(S3Settings.bucket) var bucket: String?
    @Option(S3Settings.folder) var folder: String?
    @Option(S3Settings.fileName) var fileName: String?
    @Option(S3Settings.keyLayout) var keyLayout: String?
    @Option(S3Settings.compression) var compression: String?
    @Option(S3Settings.gzipLevel) var gzipLevel: String?
    @Option(S3Settings.uploadConcurrency) var uploadConcurrency: String?
    @Option(S3Settings.maxBatchSize) var maxBatchSize: String?
    @Option(S3Settings.maxBatchTimeout) var maxBatchTimeout: String?

    package init() {}
  }

  package init(_ reader: inout SettingReader) {
    isEnabled = reader.value(Self.write, \Flags.write)
    bucket = reader.value(Self.bucket, \Flags.bucket)
    let folder = reader.value(Self.folder, \Flags.folder)
    let fileName = reader.value(Self.fileName, \Flags.fileName)
    let layout = reader.value(Self.keyLayout, \Flags.keyLayout)
    let compression = reader.value(Self.compression, \Flags.compression)
    let level = reader.value(Self.gzipLevel, \Flags.gzipLevel)
    let concurrency = reader.value(Self.uploadConcurrency, \Flags.uploadConcurrency)
    let maximumRows = reader.value(Self.maxBatchSize, \Flags.maxBatchSize)
    let maximumWait = reader.value(Self.maxBatchTimeout, \Flags.maxBatchTimeout)
    objects = ObjectSettings(
      folder: folder, fileName: fileName, layout: layout,
      compression: compression == .gzip ? .gzip(level: level) : .none, maximumRows: maximumRows,
      maximumWait: maximumWait, concurrency: concurrency)
  }
}
