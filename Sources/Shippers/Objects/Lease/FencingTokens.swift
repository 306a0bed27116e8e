import FoundationEssentials

/// The fencing tokens of a log's processes, by place, as they are kept in its `meta`.
struct FencingTokens: Equatable {
  /// Oldest first.
  private var places: [String: [String]]

  static let metaKey = "claims"
  /// Of one place, beside the one in its note: a process that was killed may have sent a note that arrives late, and
  /// a bucket that was replicated or copied has an older one.
  private static let kept = 64

  init() { places = [:] }

  /// - Throws: for a text that ``text()`` never made.
  init(text: String?) throws {
    places = try text.map { try JSONDecoder().decode([String: [String]].self, from: Data($0.utf8)) } ?? [:]
  }

  func text() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(places), as: UTF8.self)
  }

  /// Those of all places: one place may go by several names.
  var all: Set<String> { Set(places.values.joined()) }

  /// - Parameter found: the token that the note in the place has now: it stays known, however many processes end before
  ///   theirs has arrived.
  mutating func add(_ token: String, at place: String, after found: String?) {
    let before = places[place] ?? []
    let kept = before.suffix(Self.kept - 1)
    places[place] = before.filter { $0 == found && !kept.contains($0) } + kept + [token]
  }
}
