import WAL

/// Walks over plans in order and finds the offsets that none of them covers.
struct PlanCoverage {
  /// The next offset that a plan must cover.
  private var next: Offset
  private let end: Offset
  /// The end of the last plan.
  private var covered = Offset.zero

  /// - Parameter range: offsets that the consumer has behind it.
  init(of range: OffsetRange) {
    next = range.lowerBound
    end = range.upperBound
  }

  /// - Returns: what lies between the plans so far and this one, within the range; and whether an earlier one
  ///   reaches into it.
  mutating func add(_ plan: OffsetRange) -> (hole: OffsetRange?, overlaps: Bool) {
    defer {
      next = max(next, plan.upperBound.next)
      covered = max(covered, plan.upperBound)
    }
    return (uncovered(before: plan.lowerBound), plan.lowerBound <= covered)
  }

  /// The offsets behind the last plan, within the range.
  func holeAtEnd() -> OffsetRange? { uncovered(before: end.next) }

  private func uncovered(before first: Offset) -> OffsetRange? {
    let last = min(first.previous, end)
    return next <= last ? next...last : nil
  }
}
