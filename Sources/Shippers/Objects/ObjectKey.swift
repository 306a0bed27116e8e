import Ticks
import WAL

/// The names of objects. No two batches, of this log or another, get the same one.
enum ObjectKey {
  /// `<folder>/dt=2026-11-21/hour=05/<name>-2026-11-21T05-13-20.123456Z-<log_id>-<first>-<last>.jsonl.gz`
  ///
  /// - Parameter firstReceivedAt: microseconds since 1970, UTC, of the first row.
  static func batch(
    _ range: OffsetRange, firstReceivedAt: Int64, logID: LogID, isCompressed: Bool, settings: ObjectSettings
  ) -> String {
    let time = Timestamp.dashed(
      microseconds: min(
        max(firstReceivedAt, Timestamp.representable.lowerBound),
        Timestamp.representable.upperBound - 1))
    var key = folder(settings)
    if settings.layout == .hive {
      key += "dt=\(time.prefix(10))/hour=\(time.dropFirst(11).prefix(2))/"
    }
    key += "\(settings.fileName)-\(time)-\(logID)-\(range.lowerBound)-\(range.upperBound).jsonl"
    return isCompressed ? key + gzipSuffix : key
  }

  static let gzipSuffix = ".gz"

  /// Where the shipper notes how far it has planned.
  static func marker(logID: LogID, settings: ObjectSettings) -> String {
    folder(settings) + "_logs/\(logID).json"
  }

  private static func folder(_ settings: ObjectSettings) -> String {
    settings.folder.isEmpty ? "" : settings.folder + "/"
  }
}
