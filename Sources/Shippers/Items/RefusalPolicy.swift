/// Whether a refused item is to blame, or the table: a pure value.
///
/// An item is a dead letter only while refusals are rare and the table's keys are right; else the consumer
/// is held, so that a wrong table cannot swallow a stream.
struct RefusalPolicy {
  enum Verdict: Equatable {
    case deadLetter
    case hold(String)
  }

  /// So many refusals without a success between them are not the items' fault.
  static let limitInARow = 10
  private var inARow = 0

  mutating func accepted() { inARow = 0 }

  mutating func refused(_ refusal: ItemRefusal, keysAreRight: Bool) -> Verdict {
    inARow += 1
    if refusal.concernsKeySchema || !keysAreRight { return .hold("the table's keys are not the right ones") }
    if inARow >= Self.limitInARow { return .hold("\(Self.limitInARow) items in a row were refused") }
    return .deadLetter
  }
}
