import Base

/// A time in a note: `2026-11-22T02-48-40.009438Z`, UTC.
package struct NoteTime: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
  /// Since 1970, UTC.
  package let microseconds: Int64

  package init(_ microseconds: Int64) { self.microseconds = Timestamp.clamped(microseconds: microseconds) }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let time = Timestamp.microseconds(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "no time")
    }
    microseconds = time
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(Timestamp.dashed(microseconds: microseconds))
  }

  /// As people read it: `2026-11-22T02:48:40.009438Z`.
  package var description: String { Timestamp.rfc3339(microseconds: microseconds) }

  package static func < (one: NoteTime, other: NoteTime) -> Bool { one.microseconds < other.microseconds }
}
