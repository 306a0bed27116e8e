import Base

/// The way from ticks to objects.
package struct ObjectSettings: Sendable, Equatable {
  package enum Layout: String, Sendable, CaseIterable {
    /// `dt=2026-11-21/hour=05/` between folder and name.
    case hive
    case flat
  }

  package enum Compression: Sendable, Equatable {
    /// At zlib's level 0 to 9.
    case gzip(level: Int)
    case none
  }

  /// `S3_JSONL_DIR_PATH`, without slashes at its ends.
  package private(set) var folder: String
  /// `S3_FILENAME`
  package let fileName: String
  package let layout: Layout
  package private(set) var compression: Compression
  /// `MAX_BATCH_SIZE`, rows
  package let maximumRows: Int
  /// `MAX_BATCH_TIMEOUT`
  package let maximumWait: Duration
  /// `S3_UPLOAD_CONCURRENCY`: plans open at a time.
  package let concurrency: Int
  /// Bytes of text in one object.
  package let maximumBytes: Int

  package init(
    folder: String, fileName: String, layout: Layout = .hive, compression: Compression = .gzip(level: 6),
    maximumRows: Int = 1_000, maximumWait: Duration = .seconds(10), concurrency: Int = 4,
    maximumBytes: Int = 64 << 20
  ) {
    self.folder = ObjectSettings.trimmed(folder)
    self.fileName = fileName
    self.layout = layout
    self.compression = compression
    self.maximumRows = maximumRows
    self.maximumWait = maximumWait
    self.concurrency = concurrency
    self.maximumBytes = maximumBytes
  }

  /// The same, for copies in another folder.
  ///
  /// - Throws: for the folder of the objects themselves.
  func forCopies(under folder: String) throws(BadSettings) -> ObjectSettings {
    var settings = self
    settings.folder = Self.trimmed(folder)
    guard settings.folder != self.folder else {
      throw BadSettings(problems: [
        .init(
          name: "--prefix", value: Text.oneLine(folder),
          allowed: "another folder than S3_JSONL_DIR_PATH, where each offset is in one object alone")
      ])
    }
    return settings
  }

  /// The same, for an object that was planned under a key: how it is compressed is part of its name.
  func fitting(key: String) -> ObjectSettings {
    var settings = self
    if !key.hasSuffix(ObjectKey.gzipSuffix) {
      settings.compression = .none
    } else if compression == .none {
      settings.compression = .gzip(level: 6)
    }
    return settings
  }

  private static func trimmed(_ path: String) -> String {
    var path = Substring(path)
    while path.hasPrefix("/") { path.removeFirst() }
    while path.hasSuffix("/") { path.removeLast() }
    return String(path)
  }
}
