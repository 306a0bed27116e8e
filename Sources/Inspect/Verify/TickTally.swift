import Base
import WAL

/// The findings of a walk over the ticks; neighbours with one cause are one problem. Pure.
struct TickTally {
  private(set) var good = 0
  private(set) var bad = 0
  /// Missing, and known to be: a salvage has written down that they are lost.
  private(set) var lost = 0
  private let known: [OffsetRange]
  private var run: (range: OffsetRange, cause: String)?

  /// - Parameter known: what a salvage could not read, in order.
  init(known: [OffsetRange]) {
    self.known = known
  }

  mutating func addGood(_ problems: inout LogProblems) {
    good += 1
    finish(&problems)
  }

  mutating func addBad(_ range: OffsetRange, _ cause: String, _ problems: inout LogProblems) {
    bad = bad.addingSaturated(range.length)
    if let run, run.cause == cause, run.range.upperBound.next == range.lowerBound {
      self.run = (run.range.lowerBound...range.upperBound, cause)
    } else {
      finish(&problems)
      run = (range, cause)
    }
  }

  mutating func addMissing(_ range: OffsetRange, _ problems: inout LogProblems) {
    var next = range.lowerBound
    while next <= range.upperBound {
      // The first known range that ends here or later.
      var low = 0
      var high = known.count
      while low < high {
        let middle = (low + high) / 2
        if known[middle].upperBound < next { low = middle + 1 } else { high = middle }
      }
      if low < known.count, known[low].contains(next) {
        let end = min(range.upperBound, known[low].upperBound)
        lost = lost.addingSaturated((next...end).length)
        next = end.next
      } else {
        let end = low < known.count ? min(range.upperBound, known[low].lowerBound.previous) : range.upperBound
        addBad(next...end, "the row is missing", &problems)
        next = end.next
      }
    }
  }

  /// Writes down the run of bad ones under way.
  mutating func finish(_ problems: inout LogProblems) {
    guard let (range, cause) = run else { return }
    run = nil
    let which = range.length == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
    problems.add(.ticks, "offset \(which): \(cause)", range)
  }
}
