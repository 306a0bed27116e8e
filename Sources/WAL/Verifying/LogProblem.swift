/// Something in a log that is not as it must be.
public struct LogProblem: Sendable, Equatable {
  /// What it is about.
  public enum Kind: String, Sendable, CaseIterable {
    /// SQLite's own pages, lists and indices.
    case structure
    case schema, meta, ticks, consumers, batches, gaps
    case deadLetters = "dead_letters"
    case skipped
  }

  public let kind: Kind
  /// One line.
  public let text: String
  /// The offsets concerned, if it is about offsets.
  public let range: OffsetRange?
}

/// The problems found so far: the first of them, and how many of each kind.
public struct LogProblems: Sendable, Equatable {
  public static let kept = 100

  public private(set) var first: [LogProblem] = []
  public private(set) var counts: [LogProblem.Kind: Int] = [:]

  public var count: Int { counts.values.reduce(0, +) }
  public var isEmpty: Bool { counts.isEmpty }

  mutating func add(_ kind: LogProblem.Kind, _ text: String, _ range: OffsetRange? = nil) {
    counts[kind, default: 0] += 1
    if first.count < Self.kept { first.append(LogProblem(kind: kind, text: text, range: range)) }
  }
}
