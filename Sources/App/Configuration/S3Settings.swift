import ArgumentParser
import Base

/// Batches and their objects.
struct S3Settings: Sendable, Equatable {
  enum KeyLayout: String, CaseIterable, Sendable {
    case hive, flat
  }

  enum Compression: String, CaseIterable, Sendable {
    case gzip, none
  }

  /// Whether the `s3` consumer is enabled.
  let isEnabled: Bool
  let bucket: String
  /// Without slashes at its ends; empty: the bucket's root.
  let folder: String
  let fileName: String
  let keyLayout: KeyLayout
  let compression: Compression
  let gzipLevel: Int
  /// The most batches that are planned and not yet shipped.
  let uploadConcurrency: Int
  /// The most rows in one object.
  let maxBatchSize: Int
  /// How long after its first row's receipt a batch at the head of the log is cut.
  let maxBatchTimeout: Duration

  static let write = Setting("S3_WRITE", default: "1", .zeroOrOne, "Ship objects to S3")
  static let bucket = Setting("S3_BUCKET", default: "crypto-live-bucket", .bucket, "Bucket for the objects")
  static let folder = Setting(
    "S3_JSONL_DIR_PATH", default: "batch_jsonl", .keyPrefix, "Folder of the objects in the bucket")
  static let fileName = Setting(
    "S3_FILENAME", default: "miniticker", .fileName, "How each object's own name begins")
  static let keyLayout = Setting(
    "S3_KEY_LAYOUT", default: "hive", Rule<KeyLayout>.oneOf,
    "Folders by day and hour (dt=…/hour=…), or none")
  static let compression = Setting(
    "S3_COMPRESSION", default: "gzip", Rule<Compression>.oneOf, "gzip objects (.jsonl.gz), or plain .jsonl")
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

  struct Flags: ParsableArguments, Sendable {
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
  }

  init(_ reader: inout SettingReader) {
    isEnabled = reader.value(Self.write, \Flags.write)
    bucket = reader.value(Self.bucket, \Flags.bucket)
    folder = reader.value(Self.folder, \Flags.folder)
    fileName = reader.value(Self.fileName, \Flags.fileName)
    keyLayout = reader.value(Self.keyLayout, \Flags.keyLayout)
    compression = reader.value(Self.compression, \Flags.compression)
    gzipLevel = reader.value(Self.gzipLevel, \Flags.gzipLevel)
    uploadConcurrency = reader.value(Self.uploadConcurrency, \Flags.uploadConcurrency)
    maxBatchSize = reader.value(Self.maxBatchSize, \Flags.maxBatchSize)
    maxBatchTimeout = reader.value(Self.maxBatchTimeout, \Flags.maxBatchTimeout)
  }
}
