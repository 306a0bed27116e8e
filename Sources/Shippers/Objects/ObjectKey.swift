import Base
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
    let time = Timestamp.dashed(microseconds: Timestamp.clamped(microseconds: firstReceivedAt))
    var key = folder(settings)
    if settings.layout == .hive {
      key += "dt=\(time.prefix(10))/hour=\(time.dropFirst(11).prefix(2))/"
    }
    key += "\(settings.fileName)-\(time)-\(logID)-\(range.lowerBound)-\(range.upperBound).jsonl"
    return isCompressed ? key + gzipSuffix : key
  }

  static let gzipSuffix = ".gz"

  /// Where, in the order of keys, the batches stand whose first row was received in the hour of a time or later.
  ///
  /// - Returns: what the keys of all batches begin with, and what is below each of those.
  static func batches(
    from receivedAt: Int64, settings: ObjectSettings
  ) -> (prefix: String, after: String) {
    let time = Timestamp.dashed(microseconds: Timestamp.clamped(microseconds: receivedAt))
    let folder = folder(settings)
    switch settings.layout {
    case .hive:
      return (folder + "dt=", folder + "dt=\(time.prefix(10))/hour=\(time.dropFirst(11).prefix(2))/")
    case .flat: return (folder + settings.fileName + "-", folder + "\(settings.fileName)-\(time.prefix(13))")
    }
  }

  /// The key of the note in which the shipper says how far it has planned.
  static func lease(logID: LogID, settings: ObjectSettings) -> String {
    notes(settings) + "\(logID).json"
  }

  /// The key of the list of streams beside it.
  static func streams(logID: LogID, settings: ObjectSettings) -> String {
    notes(settings) + "\(logID).streams.json"
  }

  /// The key of the word of a copy that is held, beside it.
  static func held(logID: LogID, settings: ObjectSettings) -> String {
    notes(settings) + "\(logID).held.json"
  }

  /// The beginning of the keys of all logs' notes.
  static func notes(_ settings: ObjectSettings) -> String { folder(settings) + "_logs/" }

  /// The beginning of the keys of all gaps' objects.
  static func gaps(_ settings: ObjectSettings) -> String { folder(settings) + "_gaps/" }

  /// `<folder>/_gaps/dt=2026-11-21/<name>-2026-11-21T05-13-20.123456Z-<log_id>-<gap>.jsonl`: the same for a gap
  /// that is open and when it has ended.
  static func gap(_ gap: Gap, logID: LogID, settings: ObjectSettings) -> String {
    let time = Timestamp.dashed(microseconds: Timestamp.clamped(microseconds: gap.startedAt))
    let day = settings.layout == .hive ? "dt=\(time.prefix(10))/" : ""
    return gaps(settings) + "\(day)\(settings.fileName)-\(time)-\(logID)-\(gap.id.rawValue).jsonl"
  }

  private static func folder(_ settings: ObjectSettings) -> String {
    settings.folder.isEmpty ? "" : settings.folder + "/"
  }
}
