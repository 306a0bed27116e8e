import Base

/// The record of how old the log's ticks and gaps are, as kept in `meta`.
struct AgeRecord {
  private let clock: LogClock
  private(set) var offsets: AgeMarks
  private(set) var gaps: AgeMarks
  private var nextMark: Int64

  private static let gapInterval: Int64 = 86_400_000_000

  init(_ connection: SQLiteConnection, now: Uptime, wall: Int64) throws(SQLiteError) {
    clock = LogClock(stored: try connection.meta(.retentionClock), now: now, wall: wall)
    let time = clock.time(at: now)
    offsets = AgeMarks(text: try connection.meta(.offsetMarks), now: time)
    gaps = AgeMarks(text: try connection.meta(.gapMarks), now: time)
    nextMark = time
  }

  func time(at now: Uptime) -> Int64 { clock.time(at: now) }

  func isMarkDue(at now: Uptime) -> Bool { clock.time(at: now) >= nextMark }

  /// Notes how far the log is now, within the transaction under way.
  ///
  /// - Parameter endedGap: the highest id of a gap without an open one before it.
  mutating func mark(
    _ connection: SQLiteConnection, head: Offset, endedGap: Int64, rule: RetentionRule, now: Uptime,
    wall: Int64
  ) throws(SQLiteError) {
    let time = clock.time(at: now)
    offsets.note(highest: head.rawValue, at: time)
    offsets.prune(age: rule.retention.microseconds, at: time)
    if gaps.marks.last.map({ time.subtractingSaturated($0.time) >= Self.gapInterval }) ?? true {
      gaps.note(highest: endedGap, at: time)
      gaps.prune(age: RetentionRule.gaps.microseconds, at: time)
    }
    try connection.setMeta(.retentionClock, clock.text(at: now, wall: wall))
    try connection.setMeta(.offsetMarks, offsets.text)
    try connection.setMeta(.gapMarks, gaps.text)
    nextMark = time.addingSaturated(rule.markInterval.microseconds)
  }
}

extension Duration {
  /// Whole microseconds.
  var microseconds: Int64 {
    let parts = components
    return parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
  }
}
