import Base
import Shippers
import WAL

/// The meaning of the facts that a check found. Pure.
enum DoctorRules {
  /// Seconds that the machine's clock may differ from the server's; beyond five minutes signatures are refused.
  static let tolerableSkew = 60

  /// - Parameter ahead: seconds that this machine's clock is ahead of each service's.
  static func clock(_ ahead: [(service: String, seconds: Int)]) -> DoctorFinding {
    guard let worst = ahead.map(\.seconds).max(by: { abs($0) < abs($1) }) else {
      return .skipped("clock", "no service told its time")
    }
    guard abs(worst) > tolerableSkew else {
      return .ok(
        "clock", ahead.map { "\(abs($0.seconds)) s from that of \($0.service)" }.joined(separator: ", "))
    }
    return .warning(
      "clock",
      ahead.map { service, seconds in
        "\(abs(seconds)) s \(seconds > 0 ? "ahead of" : seconds < 0 ? "behind" : "from") that of \(service)"
      }.joined(separator: ", "),
      "signatures are corrected, but rows carry this machine's time: synchronize it (timedatectl)")
  }

  /// - Parameter streams: the whole list.
  static func shard(_ shard: StreamShard, of streams: [String], perConnection: Int) -> DoctorFinding {
    let share = shard.share(of: streams).count
    let connections = (share + perConnection - 1) / perConnection
    let text = "\(shard) has \(Figures.grouped(share)) of \(Figures.counted(streams.count, "stream"))"
    if share == 0 { return .failed("shard", text, "use fewer shards: this one would have nothing to read") }
    return .ok("shard", "\(text), on \(Figures.counted(connections, "connection"))")
  }

  /// The room that a commit may need, whatever the limits are; bytes.
  private static let leastSpace = 1 << 20

  /// - Parameters:
  ///   - free: bytes, as `total`.
  ///   - limits: below `DISK_STOP` `run` appends nothing, below `DISK_LOW` it warns.
  static func space(free: Int, of total: Int, limits: DiskLimits, folder: String) -> DoctorFinding {
    let part = total > 0 ? Double(free) / Double(total) : 0
    let stop = limits.stop.bytes(of: max(0, total))
    let text =
      "\(Figures.bytes(free)) of \(Figures.bytes(total)) free (\(Int(part * 100)) %) at \(folder)"
    let limit = stop > 0 ? "; DISK_STOP is \(Figures.bytes(stop))" : "; DISK_STOP is off"
    let remedy = "make room, or move WAL_PATH to a larger volume"
    if total <= 0 || free < max(limits.stop.bytes(of: total), leastSpace) {
      return .failed(
        "space",
        stop >= leastSpace
          ? "\(text), below DISK_STOP (\(Figures.bytes(stop))): nothing would be appended"
          : "\(text), less than the \(Figures.bytes(leastSpace)) that appending needs", remedy)
    }
    return free < limits.low.bytes(of: total)
      ? .warning(
        "space", "\(text)\(limit), and DISK_LOW is reached: what is shipped is trimmed at once", remedy)
      : .ok("space", text + limit)
  }

  /// The oldest tick that may wait before shipping counts as behind.
  static let tolerableAge = Duration.seconds(600)

  static func backlog(_ consumers: [LogStatus.Consumer]) -> DoctorFinding {
    let enabled = consumers.filter(\.isEnabled)
    guard !enabled.isEmpty else { return .skipped("backlog", "no consumer is enabled in the log yet") }
    var isBehind = false
    let texts = enabled.map { consumer in
      guard consumer.lag > 0 else { return "\(consumer.name) none" }
      let age = Duration.seconds(consumer.oldestUnshippedSeconds)
      if age > tolerableAge { isBehind = true }
      return
        "\(consumer.name) \(Figures.counted(consumer.lag, "tick")), the oldest \(Figures.duration(age)) old"
    }
    let text = texts.joined(separator: "; ")
    return isBehind
      ? .warning("backlog", text, "look at `tickwal status` and at what run says; without run: tickwal ship")
      : .ok("backlog", text)
  }

  static func sqlite(_ version: SQLiteVersion) -> DoctorFinding {
    .ok(
      "sqlite",
      version.hasWALResetBug
        ? "\(version) has the WAL-reset bug, which cannot strike here: one connection commits and checkpoints; "
          + "open the log with sqlite3 -readonly only" : "\(version), without the WAL-reset bug")
  }
}
