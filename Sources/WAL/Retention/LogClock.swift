import Base

/// The log's own time, by which ticks grow old: it never goes back, and setting the machine's clock does not
/// move it.
///
/// It goes with the time since the machine was started, also while no process has the log. Across a restart of
/// the machine there is only the wall clock to ask, which may have been set meanwhile: it is believed for an
/// hour at most. Where that is too little, ticks are kept longer, never less long; the log does not grow by it,
/// because nothing was appended.
struct LogClock: Equatable {
  /// Microseconds from the log's first start to the reading of `base`.
  private let start: Int64
  private let base: Uptime

  static let mostAcrossBoots: Int64 = 3_600_000_000

  /// - Parameters:
  ///   - stored: what ``text(at:wall:)`` gave last, `nil` in a log that has none.
  ///   - wall: microseconds since 1970, UTC.
  init(stored: String?, now: Uptime, wall: Int64) {
    base = now
    let parts = stored?.split(separator: " ", omittingEmptySubsequences: false) ?? []
    guard parts.count == 4, let time = Int64(parts[0]), let uptime = Int64(parts[2]),
      let storedWall = Int64(parts[3])
    else {
      start = 0
      return
    }
    let isSameBoot = !now.boot.isEmpty && parts[1] == now.boot
    let elapsed =
      isSameBoot
      ? now.microseconds.subtractingReportingOverflow(uptime)
      : wall.subtractingReportingOverflow(storedWall)
    let most = isSameBoot ? Int64.max : Self.mostAcrossBoots
    let counted = elapsed.overflow ? 0 : min(max(0, elapsed.partialValue), most)
    start = max(0, time).addingSaturated(counted)
  }

  /// Microseconds of the log's own time.
  func time(at now: Uptime) -> Int64 {
    start.addingSaturated(max(0, now.microseconds.subtractingSaturated(base.microseconds)))
  }

  /// The record that the next process needs to go on: time, boot, uptime and wall clock.
  func text(at now: Uptime, wall: Int64) -> String {
    "\(time(at: now)) \(now.boot.isEmpty ? "-" : now.boot) \(now.microseconds) \(wall)"
  }
}
