import WAL

/// What a comparison of the log with one consumer's destination has found. Its lines are bounded, its numbers
/// count everything.
public struct Reconciliation: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// Confirmed, and not there.
    case missing
    /// An offset in more than one object, or an object of this log that was never planned.
    case double
    /// There with another content, or not readable as what it should be.
    case different
  }

  /// One thing that is wrong.
  public struct Problem: Sendable, Equatable {
    public let kind: Kind
    /// What it is about and how it is wrong, safe for logs.
    public let text: String
    /// Whether it is so no more.
    public let isRepaired: Bool
  }

  public let consumer: ConsumerName
  /// As it is stored with the consumer.
  public let destination: String
  /// Objects of the range, or ticks whose items were asked for.
  public internal(set) var checked = 0
  /// Of `checked`: those that are there as they should be.
  public internal(set) var agreeing = 0
  public private(set) var missing = 0
  public private(set) var double = 0
  public private(set) var different = 0
  /// Of `missing`: shipped again.
  public private(set) var repaired = 0
  /// Objects planned and not confirmed, and not there: the next to be shipped.
  public internal(set) var pending = 0
  /// Objects of this log whose ticks and plans are no more.
  public internal(set) var outside = 0
  /// Ticks recorded as dead letters.
  public internal(set) var deadLetters = 0
  /// Ticks that the consumer passed over, as recorded.
  public internal(set) var skipped = 0
  /// Ticks whose items are not there and whose TTL is over.
  public internal(set) var expired = 0
  /// Ticks whose items are as they should be but for `ttl_days`: received more than once, or written under
  /// another `RETENTION_TTL_DAYS`.
  public internal(set) var otherTTL = 0
  /// Not every tick's item was asked for.
  public internal(set) var isSample = false
  /// The first of the problems, at most ``problemLimit``.
  public private(set) var problems: [Problem] = []

  public static let problemLimit = 100

  init(_ consumer: Consumer) {
    self.consumer = consumer.name
    destination = consumer.destination
  }

  /// Problems beyond those in `problems`.
  public var moreProblems: Int { missing + double + different - problems.count }
  /// Nothing is wrong, or nothing any more.
  public var agrees: Bool { missing == repaired && double == 0 && different == 0 }

  mutating func add(_ kind: Kind, isRepaired: Bool = false, _ text: @autoclosure () -> String) {
    switch kind {
    case .missing: missing += 1
    case .double: double += 1
    case .different: different += 1
    }
    if isRepaired { repaired += 1 }
    guard problems.count < Self.problemLimit else { return }
    problems.append(Problem(kind: kind, text: text(), isRepaired: isRepaired))
  }
}
