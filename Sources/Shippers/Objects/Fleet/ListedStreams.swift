import Base
import FoundationEssentials
import WAL

/// The streams that a log was to receive, and when: `_logs/<log_id>.streams.json`, written when the list changes.
package struct ListedStreams: Codable, Equatable, Sendable {
  package struct Entry: Codable, Equatable, Sendable {
    package let name: String
    /// Since when it is in the list.
    package let from: NoteTime
    /// Since when it is not any more; `nil` while it is.
    package fileprivate(set) var to: NoteTime?
    /// When the first tick of it came since then: before that the exchange may not have granted it. `nil` while none has.
    package fileprivate(set) var firstTick: NoteTime?

    enum CodingKeys: String, CodingKey {
      case name, from, to
      case firstTick = "first_tick"
    }

    init(name: String, from: NoteTime) {
      (self.name, self.from) = (name, from)
    }

    package init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      name = try container.decode(String.self, forKey: .name)
      from = try container.decode(NoteTime.self, forKey: .from)
      to = try container.decodeIfPresent(NoteTime.self, forKey: .to)
      // Lists of earlier versions do not tell.
      let tells = container.contains(.firstTick)
      firstTick = tells ? try container.decodeIfPresent(NoteTime.self, forKey: .firstTick) : from
    }

    /// With a `null` where there is no end, or no tick.
    package func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(name, forKey: .name)
      try container.encode(from, forKey: .from)
      try container.encode(to, forKey: .to)
      try container.encode(firstTick, forKey: .firstTick)
    }
  }

  let logID: String
  /// Of the present list.
  private(set) var sha256: String
  /// By name, then by time; those that ended are kept for a year.
  package private(set) var streams: [Entry]
  package private(set) var writtenAt: NoteTime

  enum CodingKeys: String, CodingKey {
    case streams, sha256
    case logID = "log_id"
    case writtenAt = "written_at"
  }

  private static let kept: Int64 = 366 * 86_400_000_000

  init(logID: LogID) {
    self.logID = logID.rawValue
    sha256 = Self.hash(of: [])
    streams = []
    writtenAt = NoteTime(0)
  }

  init(json: [UInt8]) throws {
    self = try JSONDecoder().decode(ListedStreams.self, from: Data(json))
  }

  func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self))
  }

  /// SHA-256 of the names in the order of their bytes, each followed by a line feed; lower-case hex.
  package static func hash(of names: [String]) -> String {
    var text: [UInt8] = []
    for name in names.map({ Array($0.utf8) }).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      text += name + [UInt8(ascii: "\n")]
    }
    return SHA256.hash(text).hex
  }

  /// Takes a new list over: streams that stay keep their beginning.
  ///
  /// - Parameters:
  ///   - since: when the list became what it is; microseconds since 1970, UTC.
  ///   - left: when streams have left it, those that are back, too; likewise.
  ///   - now: likewise.
  mutating func update(_ names: [String], since: Int64, left: [String: Int64] = [:], now: Int64) {
    var wanted = Set(names)
    for index in streams.indices where streams[index].to == nil {
      let (name, from) = (streams[index].name, streams[index].from.microseconds)
      if let left = left[name], left > from {
        streams[index].to = NoteTime(left)
      } else if wanted.remove(name) == nil {
        streams[index].to = NoteTime(max(since, from))
      }
    }
    streams += wanted.map { Entry(name: $0, from: NoteTime(since)) }
    streams.removeAll { ($0.to?.microseconds ?? .max) < now - Self.kept }
    streams.sort { ($0.name, $0.from) < ($1.name, $1.from) }
    sha256 = Self.hash(of: names)
    writtenAt = NoteTime(now)
  }

  /// Whether a stream has left the list, and is back, and that is not told here yet.
  func wasLeft(_ left: [String: Int64]) -> Bool {
    streams.contains { $0.to == nil && left[$0.name] ?? .min > $0.from.microseconds }
  }

  /// The streams of which no tick has come yet, and since when they are in the list; microseconds since 1970, UTC.
  var awaited: [String: Int64] {
    Dictionary(
      streams.filter { $0.to == nil && $0.firstTick == nil }.map { ($0.name, $0.from.microseconds) },
      uniquingKeysWith: max)
  }

  /// Takes over when the first ticks came; microseconds since 1970, UTC.
  mutating func received(_ first: [String: Int64], now: Int64) {
    for index in streams.indices where streams[index].to == nil && streams[index].firstTick == nil {
      guard let time = first[streams[index].name] else { continue }
      streams[index].firstTick = NoteTime(max(time, streams[index].from.microseconds))
    }
    writtenAt = NoteTime(now)
  }
}
