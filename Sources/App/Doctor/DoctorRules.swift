import Shippers
import WAL

/// The meaning of the facts that a check found. Pure.
enum DoctorRules {
  /// Seconds that the machine's clock may differ from the server's; beyond five minutes signatures are refused.
  static let tolerableSkew = 60

  /// - Parameters: epoch seconds UTC.
  static func clock(server: Int?, machine: Int) -> DoctorFinding {
    guard let server else { return .skipped("clock", "no service told its time") }
    let ahead = machine - server
    guard abs(ahead) > tolerableSkew else {
      return .ok("clock", "\(abs(ahead)) s from AWS's")
    }
    return .warning(
      "clock", "\(abs(ahead)) s \(ahead > 0 ? "ahead of" : "behind") AWS's",
      "signatures are corrected, but rows carry this machine's time: synchronize it (timedatectl)")
  }

  /// - Parameters:
  ///   - free: bytes, as `total`.
  ///   - limits: below `DISK_STOP` `run` appends nothing, below `DISK_LOW` it warns.
  static func space(free: Int, of total: Int, limits: DiskLimits, folder: String) -> DoctorFinding {
    let part = total > 0 ? Double(free) / Double(total) : 0
    let text = "\(free >> 20) MiB of \(total >> 20) MiB free (\(Int(part * 100)) %) at \(folder)"
    let remedy = "make room, or move WAL_PATH to a larger volume"
    if total <= 0 || free < limits.stop.bytes(of: total) {
      return .failed("space", "\(text), below DISK_STOP: nothing would be appended", remedy)
    }
    return free < limits.low.bytes(of: total)
      ? .warning("space", "\(text), below DISK_LOW", remedy) : .ok("space", text)
  }

  static func sqlite(_ version: SQLiteVersion) -> DoctorFinding {
    .ok(
      "sqlite",
      version.hasWALResetBug
        ? "\(version) has the WAL-reset bug, which cannot strike here: one connection commits and checkpoints; "
          + "open the log with sqlite3 -readonly only" : "\(version), without the WAL-reset bug")
  }
}
