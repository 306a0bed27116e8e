import Base
import FoundationEssentials
import Ticks
import WAL

/// The note beside the objects that says how far a log has planned, and which process may: `_logs/<log_id>.json`.
struct LogNote: Codable, Equatable {
  var logID: String
  var highestPlannedOffset: Int64
  /// Drawn anew by each process that ships; the log keeps it, too. A note without one is nobody's.
  var claim: String?
  var writtenAt: String

  enum CodingKeys: String, CodingKey {
    case logID = "log_id"
    case highestPlannedOffset = "highest_planned_offset"
    case claim
    case writtenAt = "written_at"
  }

  /// - Parameter writtenAt: microseconds since 1970, UTC.
  init(logID: LogID, highestPlanned: Offset, claim: String, writtenAt: Int64) {
    self.logID = logID.rawValue
    highestPlannedOffset = highestPlanned.rawValue
    self.claim = claim
    self.writtenAt = Timestamp.dashed(microseconds: Timestamp.clamped(microseconds: writtenAt))
  }

  init(json: [UInt8]) throws {
    self = try JSONDecoder().decode(LogNote.self, from: Data(json))
  }

  func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return Array(try encoder.encode(self))
  }
}

/// What a log knows of itself, against which the place is held. A pure value.
///
/// Two logs of one `log_id`, a copy or a restored one and the log that it was made from, would give one offset two
/// meanings.
struct LogIdentity: Equatable {
  let logID: LogID
  /// The highest offset that the log itself has planned.
  var highestPlanned: Offset
  /// What the log's processes have put into the note, here and in other places.
  var claims: Set<String>

  /// Why the log is not the one that ships to the place.
  enum Objection: String {
    case plannedFurther = "another log of this log_id has planned further"
    case claimed = "another log of this log_id ships, or has shipped, to this place"
    case objects = "objects of this log_id are there with offsets that this log has not planned"
  }

  func objection(to note: LogNote) -> Objection? {
    guard note.logID == logID.rawValue else { return nil }
    if note.highestPlannedOffset > highestPlanned.rawValue { return .plannedFurther }
    guard let claim = note.claim else { return nil }
    return claims.contains(claim) ? nil : .claimed
  }

  /// The first of some keys that this log can only come to.
  func unknownObject(among keys: [String]) -> String? {
    keys.first { key in
      guard let name = ObjectName(key: key) else { return false }
      return name.logID == logID && name.range.upperBound > highestPlanned
    }
  }
}

/// The claims of a log's processes, by place, as they are kept in its `meta`.
struct LogClaims: Equatable {
  /// Oldest first.
  private var places: [String: [String]]

  static let metaKey = "claims"
  /// Of one place, beside the one in its note: a process that was killed may have sent a note that arrives late, and
  /// a bucket that was replicated or copied has an older one.
  private static let kept = 64

  /// - Parameter text: what cannot be understood counts as none.
  init(text: String?) {
    do {
      places = try text.map { try JSONDecoder().decode([String: [String]].self, from: Data($0.utf8)) } ?? [:]
    } catch {
      places = [:]
    }
  }

  func text() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(places), as: UTF8.self)
  }

  /// Those of all places: one place may go by several names.
  var all: Set<String> { Set(places.values.joined()) }

  /// - Parameter found: what the note in the place says now: it stays known, however many processes end before
  ///   theirs has arrived.
  mutating func add(_ claim: String, at place: String, after found: String?) {
    let before = places[place] ?? []
    let kept = before.suffix(Self.kept - 1)
    places[place] = before.filter { $0 == found && !kept.contains($0) } + kept + [claim]
  }
}
