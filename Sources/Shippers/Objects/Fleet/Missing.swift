/// The stretches of time of which somebody lacks a stream: times of receipt, in microseconds since 1970, UTC, both ends
/// of a stretch included. A pure value.
///
/// Two kinds: of most stretches only the time is known; of those that the exchange's ids show, the ids that are missing,
/// so that somebody who lacks others in the same time has them.
package struct Missing: Equatable, Sendable {
  package struct Skip: Equatable, Sendable {
    package var time: ClosedRange<Int64>
    /// The ids that may be missing.
    package var ids: ClosedRange<Int64>
  }

  /// In order, none touches another.
  package private(set) var times: [ClosedRange<Int64>] = []
  /// In the order of their ids, no two with an id in common.
  package private(set) var skips: [Skip] = []

  package var isEmpty: Bool { times.isEmpty && skips.isEmpty }

  package init(times: [ClosedRange<Int64>] = [], skips: [Skip] = []) {
    for time in times.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = self.times.last, last.upperBound >= time.lowerBound {
        self.times[self.times.count - 1] = Self.hull(last, time)
      } else {
        self.times.append(time)
      }
    }
    for skip in skips.sorted(by: { $0.ids.lowerBound < $1.ids.lowerBound }) {
      if let last = self.skips.last, last.ids.upperBound >= skip.ids.lowerBound {
        self.skips[self.skips.count - 1] = Skip(
          time: Self.hull(last.time, skip.time), ids: Self.hull(last.ids, skip.ids))
      } else {
        self.skips.append(skip)
      }
    }
  }

  /// The stretches that both lack.
  package func common(with other: Missing) -> Missing {
    let times = Self.pairs(self.times, other.times) { $0 }.map { one, two in Self.overlap(one, two) }
    // Each has the events beside the ids at its own time.
    let both = Self.pairs(skips, other.skips, \.ids).map { one, two in
      Skip(time: Self.hull(one.time, two.time), ids: Self.overlap(one.ids, two.ids))
    }
    return Missing(
      times: times,
      skips: both + Self.skips(skips, within: other.times) + Self.skips(other.skips, within: self.times))
  }

  private static func skips(_ skips: [Skip], within times: [ClosedRange<Int64>]) -> [Skip] {
    // Not in the order of their times, if somebody made them up: those are looked up.
    skips.compactMap { skip in
      var (low, high) = (0, times.count)
      while low < high {
        let middle = (low + high) / 2
        if times[middle].upperBound < skip.time.lowerBound { low = middle + 1 } else { high = middle }
      }
      guard low < times.count, times[low].overlaps(skip.time) else { return nil }
      return Skip(time: overlap(times[low], skip.time), ids: skip.ids)
    }
  }

  /// The pairs that overlap, of two lists in order without overlaps of their own.
  private static func pairs<T>(
    _ one: [T], _ two: [T], _ range: (T) -> ClosedRange<Int64>
  ) -> [(T, T)] {
    var (found, i, j) = ([(T, T)](), 0, 0)
    while i < one.count, j < two.count {
      let (a, b) = (range(one[i]), range(two[j]))
      if a.overlaps(b) { found.append((one[i], two[j])) }
      if a.upperBound < b.upperBound { i += 1 } else { j += 1 }
    }
    return found
  }

  /// Of two that overlap.
  private static func overlap(_ one: ClosedRange<Int64>, _ other: ClosedRange<Int64>) -> ClosedRange<Int64> {
    max(one.lowerBound, other.lowerBound)...min(one.upperBound, other.upperBound)
  }

  private static func hull(_ one: ClosedRange<Int64>, _ other: ClosedRange<Int64>) -> ClosedRange<Int64> {
    min(one.lowerBound, other.lowerBound)...max(one.upperBound, other.upperBound)
  }
}
