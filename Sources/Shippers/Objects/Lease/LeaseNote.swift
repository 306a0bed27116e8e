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

  enum CodingKeys: String, CodingKey {
    case logID = "log_id"
    case highestPlannedOffset = "highest_planned_offset"
    case token = "claim"
    case writtenAt = "written_at"
  }

  /// - Parameter writtenAt: microseconds since 1970, UTC.
  init(logID: LogID, highestPlanned: Offset, token: String, writtenAt: Int64) {
    self.logID = logID.rawValue
    highestPlannedOffset = highestPlanned.rawValue
    self.token = token
    self.writtenAt = Timestamp.dashed(microseconds: Timestamp.clamped(microseconds: writtenAt))
  }

  init(json: [UInt8]) throws {
    self = try JSONDecoder().decode(LeaseNote.self, from: Data(json))
  }

  func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return Array(try encoder.encode(self))
  }
}
