/// The ids that the exchange has given to one event of a stream: those above `after`, up to and with `last`.
///
/// The events of a stream meet: each begins where the one before it ended. Whoever has all of them has a range
/// without a hole.
package struct IDStep: Equatable, Sendable {
  package let after: Int64
  package let last: Int64

  /// - Returns: nil if it has no id, or one below 0.
  package init?(after: Int64, last: Int64) {
    guard after >= -1, last > after else { return nil }
    self.after = after
    self.last = last
  }
}
