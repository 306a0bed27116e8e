import Shippers
import WAL

/// The meaning of the facts that a check found. Pure.
enum DoctorRules {
  /// Seconds that the machine's clock may differ from the server's; beyond five minutes signatures are refused.
  static let tolerableSkew = 60
  /// Part of the volume that is to be free.
  static let lowSpace = 0.15

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

  /// - Parameters: bytes.
  static func space(free: Int, of total: Int, folder: String) -> DoctorFinding {
    let part = total > 0 ? Double(free) / Double(total) : 0
    let text = "\(free >> 20) MiB of \(total >> 20) MiB free (\(Int(part * 100)) %) at \(folder)"
    return part < lowSpace
      ? .warning("space", text, "make room, or move WAL_PATH to a larger volume") : .ok("space", text)
  }

  static func sqlite(_ version: SQLiteVersion) -> DoctorFinding {
    .ok(
      "sqlite",
      version.hasWALResetBug
        ? "\(version) has the WAL-reset bug, which cannot strike here: one connection commits and checkpoints; "
          + "open the log with sqlite3 -readonly only" : "\(version), without the WAL-reset bug")
  }
}
