import AWS
import WAL

/// What the facts that a check found mean. Pure.
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

  static func tableKeys(_ table: TableDescription) -> DoctorFinding {
    let found = table.keys.map { "\($0.name) (\($0.type))" }.joined(separator: ", ")
    let isRight =
      table.keys.map(\.name) == ["stream_type", "iso_timestamp"] && table.keys.allSatisfy { $0.type == "S" }
    guard isRight else {
      return .failed(
        "table", "\(table.name) has the keys \(found)",
        "it must have the partition key stream_type (S) and the sort key iso_timestamp (S)")
    }
    guard table.status == "ACTIVE" || table.status == "UPDATING" else {
      return .failed("table", "\(table.name) is \(table.status)", "wait until it is ACTIVE")
    }
    return .ok("table", "\(table.name) is \(table.status) with the keys \(found)")
  }

  static func timeToLive(_ ttl: TimeToLive, table: String, region: String) -> DoctorFinding {
    if ttl.attribute == "ttl_days", ["ENABLED", "ENABLING"].contains(ttl.status) {
      return .ok("ttl", "\(ttl.status) on ttl_days")
    }
    let other = ttl.attribute.map { " on \($0)" } ?? ""
    return .warning(
      "ttl", "\(ttl.status)\(other): items stay for ever",
      "aws dynamodb update-time-to-live --region \(region) --table-name \(table) "
        + "--time-to-live-specification Enabled=true,AttributeName=ttl_days")
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

  /// An error of a call that `run` needs, too.
  static func failure(_ name: String, _ error: any Error) -> DoctorFinding {
    guard let error = error as? AWSError else { return .failed(name, "\(error)") }
    let remedy: String? =
      switch error.kind {
      case .credentialsRefused: "give the keys' owner the right, or use other keys"
      case .missing: "make it, or correct its name or REGION"
      case .transient: "check network, proxy and endpoint; run itself would try for ever"
      case .throttled, .clockSkewed, .permanent: nil
      }
    return .failed(name, error.description, remedy)
  }
}
