import Base

/// The list of streams in force while the secret is read again and again, and what is worth saying of it: a pure
/// value.
struct StreamListState {
  /// The difference between two lists; streams that only changed their places are no change.
  struct Change: Equatable {
    let added: [String]
    let removed: [String]

    init(from old: [String], to new: [String]) {
      let before = Set(old)
      let after = Set(new)
      added = new.filter { !before.contains($0) }
      removed = old.filter { !after.contains($0) }
    }

    var isEmpty: Bool { added.isEmpty && removed.isEmpty }
  }

  /// The time after which it is said again that the list cannot be read.
  static let reminder = Duration.seconds(1_800)

  private(set) var names: [String]
  private var trouble: (reason: String, throttle: LogThrottle)?

  init(names: [String]) {
    self.names = names
  }

  /// The list was read.
  /// - Returns: what has changed, if anything; and whether it could not be read before.
  mutating func read(_ new: [String]) -> (change: Change?, couldNotBefore: Bool) {
    defer { trouble = nil }
    let change = Change(from: names, to: new)
    guard !change.isEmpty else { return (nil, trouble != nil) }
    names = new
    return (change, trouble != nil)
  }

  /// It could not be read: what is in force stays.
  /// - Returns: whether to say so.
  mutating func failed(_ reason: String, at now: Duration) -> Bool {
    if trouble?.reason != reason { trouble = (reason, LogThrottle(period: Self.reminder)) }
    return trouble?.throttle.pass(at: now) != nil
  }
}
