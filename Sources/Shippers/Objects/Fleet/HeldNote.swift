import FoundationEssentials
import WAL

/// The word of a process whose log may not ship here, because another log of its `log_id` does:
/// `_logs/<log_id>.held.json`, written each minute while it waits. The note is the other log's, which says nothing of it.
package struct HeldNote: Codable, Equatable, Sendable {
  package let logID: String
  package let host: String
  /// The reason, as the process says it.
  package let why: String
  package let writtenAt: NoteTime

  enum CodingKeys: String, CodingKey {
    case host, why
    case logID = "log_id"
    case writtenAt = "written_at"
  }

  package init(logID: String, host: String, why: String, writtenAt: NoteTime) {
    (self.logID, self.host, self.why, self.writtenAt) = (logID, host, why, writtenAt)
  }

  init(json: [UInt8]) throws {
    self = try JSONDecoder().decode(HeldNote.self, from: Data(json))
  }

  func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self))
  }
}
