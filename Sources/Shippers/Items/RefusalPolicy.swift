/// Whether a refused item is to blame, or the table: a pure value.
///
/// An item is a dead letter only while refusals are rare and the table's keys are right, or where nothing but its
/// own value can be the cause; else the consumer is held, so that a wrong table cannot swallow a stream.
struct RefusalPolicy {
  enum Verdict: Equatable {
    case deadLetter
    case hold(String)
  }

  /// So many refusals without a success between them are not the items' fault.
  static let limitInARow = 10
  private var inARow = 0
  private var deadInARow = 0
  private var hasHeld = false

  /// - Returns: how many items became dead letters before a hold that is over now, most often none: that the table
  ///   has been mended makes them worth another try.
  mutating func accepted() -> Int {
    defer { self = RefusalPolicy() }
    return hasHeld ? deadInARow : 0
  }

  mutating func refused(_ refusal: ItemRefusal, keysAreRight: Bool) -> Verdict {
    let verdict = verdict(refusal, keysAreRight: keysAreRight)
    switch verdict {
    case .deadLetter: deadInARow += refusal.blame == .value ? 0 : 1
    case .hold: hasHeld = true
    }
    return verdict
  }

  private mutating func verdict(_ refusal: ItemRefusal, keysAreRight: Bool) -> Verdict {
    guard keysAreRight else { return .hold("the table's keys are not the right ones") }
    switch refusal.blame {
    case .value: return .deadLetter
    case .keys: return .hold("the table's keys are not the right ones")
    case .index: return .hold("an index of the table does not take the attributes that items have")
    case .item:
      inARow += 1
      return inARow >= Self.limitInARow
        ? .hold("\(Self.limitInARow) items in a row were refused") : .deadLetter
    }
  }
}
