import WAL

/// The findings of a comparison of the log with one consumer's destination. Its lines are bounded, its numbers
/// count everything.
package struct Reconciliation: Sendable, Equatable {
  package enum Kind: String, Sendable, CaseIterable {
    /// Confirmed, and not there.
    case missing
    /// An offset in more than one object, or an object of this log that was never planned.
    case double
    /// There with another content, or not readable as what it should be.
    case different
  }

  /// One thing that is wrong.
  package struct Problem: Sendable, Equatable {
    package let kind: Kind
    /// The text for people: what it is about and how it is wrong, safe for logs.
    package let text: String
    /// Whether it is so no more.
    package let isRepaired: Bool
  }

  package let consumer: ConsumerName
  /// As it is stored with the consumer.
  package let destination: String
  /// The name of what is compared, for people: `objects`, `items`.
  package let unit: String
  /// Objects of the range, or ticks whose items were asked for.
  package var checked = 0
  /// Of `checked`: those that are there as they should be.
  package var agreeing = 0
  package private(set) var missing = 0
  package private(set) var double = 0
  package private(set) var different = 0
  /// Of `missing`: shipped again.
  package private(set) var repaired = 0
  /// Objects planned and not confirmed, and not there: the next to be shipped.
  package var pending = 0
  /// Objects of this log whose ticks and plans are no more.
  package var outside = 0
  /// Ticks recorded as dead letters.
  package var deadLetters = 0
  /// Ticks that the consumer passed over, as recorded.
  package var skipped = 0
  /// Ticks whose items are not there and whose TTL is over.
  package var expired = 0
  /// Ticks whose items are as they should be but for `ttl_days`: received more than once, or written under
  /// another `RETENTION_TTL_DAYS`.
  package var otherTTL = 0
  /// The reason why the comparison ended before all was compared; `nil` if it did not. Safe for logs.
  package private(set) var failure: String?
  /// Not every tick's item was asked for.
  package var isSample = false
  /// The first of the problems, at most ``problemLimit``.
  package private(set) var problems: [Problem] = []
  private var told = 0

  package static let problemLimit = 100

  init(_ consumer: Consumer, unit: String) {
    self.consumer = consumer.name
    self.unit = unit
    destination = consumer.destination
  }

  /// Problems beyond those in `problems`.
  package var moreProblems: Int { missing + double + different - problems.count }
  /// All was compared and nothing is wrong, or nothing any more.
  package var agrees: Bool { failure == nil && missing == repaired && double == 0 && different == 0 }

  /// Ends it before all was compared, with what was found until then.
  ///
  /// - Throws: what is no matter of the place: `CancellationError`, the log's errors.
  mutating func end(with error: any Error) throws {
    if error is CancellationError || error is LogError { throw error }
    failure = "\(error)"
  }

  /// The problems that were found since the last call.
  mutating func takeUntold() -> ArraySlice<Problem> {
    defer { told = problems.count }
    return problems[told...]
  }

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
