import WAL

/// Something in a log that is not as it must be.
package struct LogProblem: Sendable, Equatable {
  /// The part of the log that it is about.
  package enum Kind: String, Sendable, CaseIterable {
    /// SQLite's own pages, lists and indices.
    case structure
    case schema, meta, ticks, consumers, batches, gaps
    case deadLetters = "dead_letters"
    case skipped
  }

  package let kind: Kind
  /// One line.
  package let text: String
  /// The offsets concerned, if it is about offsets.
  package let range: OffsetRange?
}

/// The problems found so far: the first of them, and how many of each kind.
package struct LogProblems: Sendable, Equatable {
  package static let kept = 100

  package private(set) var first: [LogProblem] = []
  package private(set) var counts: [LogProblem.Kind: Int] = [:]

  package var count: Int { counts.values.reduce(0, +) }
  package var isEmpty: Bool { counts.isEmpty }

  mutating func add(_ kind: LogProblem.Kind, _ text: String, _ range: OffsetRange? = nil) {
    counts[kind, default: 0] += 1
    if first.count < Self.kept { first.append(LogProblem(kind: kind, text: text, range: range)) }
  }
}
