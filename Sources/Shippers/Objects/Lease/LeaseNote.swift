import Base
import FoundationEssentials
import Ticks
import WAL

/// The note beside the objects that says how far a log has planned, and which process may: `_logs/<log_id>.json`.
struct LeaseNote: Codable, Equatable {
  var logID: String
  var highestPlannedOffset: Int64
  /// Drawn anew by each process that ships; the log keeps it, too. A note without one is nobody's.
  var token: String?
  var writtenAt: String
  /// In the same object, for people and `tickwal fleet`; `nil` in a note of an earlier version.
  var report: LogReport?
  /// Whether there is one, of another version or damaged, that cannot be understood.
  private(set) var isReportUnreadable = false

  enum CodingKeys: String, CodingKey {
    case logID = "log_id"
    case highestPlannedOffset = "highest_planned_offset"
    case token = "claim"
    case writtenAt = "written_at"
  }

  /// - Parameter writtenAt: microseconds since 1970, UTC.
  init(logID: LogID, highestPlanned: Offset, token: String, writtenAt: Int64, report: LogReport? = nil) {
    self.logID = logID.rawValue
    highestPlannedOffset = highestPlanned.rawValue
    self.token = token
    self.writtenAt = Timestamp.dashed(microseconds: Timestamp.clamped(microseconds: writtenAt))
    self.report = report
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    logID = try container.decode(String.self, forKey: .logID)
    highestPlannedOffset = try container.decode(Int64.self, forKey: .highestPlannedOffset)
    token = try container.decodeIfPresent(String.self, forKey: .token)
    writtenAt = try container.decode(String.self, forKey: .writtenAt)
    // The lease does not depend on it.
    do {
      report = try LogReport(from: decoder)
    } catch {
      isReportUnreadable = try decoder.container(keyedBy: LogReport.CodingKeys.self).contains(.feed)
    }
  }

  func encode(to encoder: any Encoder) throws {
    try report?.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(logID, forKey: .logID)
    try container.encode(highestPlannedOffset, forKey: .highestPlannedOffset)
    try container.encodeIfPresent(token, forKey: .token)
    try container.encode(writtenAt, forKey: .writtenAt)
  }

  init(json: [UInt8]) throws {
    self = try JSONDecoder().decode(LeaseNote.self, from: Data(json))
  }

  func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self))
  }
}
