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
  /// In the order of their times.
  package private(set) var skips: [Skip] = []

  package var isEmpty: Bool { times.isEmpty && skips.isEmpty }

  package init(times: [ClosedRange<Int64>] = [], skips: [Skip] = []) {
    for time in times.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = self.times.last, last.upperBound >= time.lowerBound {
        self.times[self.times.count - 1] = last.lowerBound...max(last.upperBound, time.upperBound)
      } else {
        self.times.append(time)
      }
    }
    self.skips = skips.sorted {
      ($0.time.lowerBound, $0.ids.lowerBound) < ($1.time.lowerBound, $1.ids.lowerBound)
    }
  }

  /// What both lack.
  package func common(with other: Missing) -> Missing {
    var times: [ClosedRange<Int64>] = []
    var (one, two) = (0, 0)
    while one < self.times.count, two < other.times.count {
      let (a, b) = (self.times[one], other.times[two])
      if let both = Self.overlap(a, b) { times.append(both) }
      if a.upperBound < b.upperBound { one += 1 } else { two += 1 }
    }
    var skips = Self.skips(skips, within: other.times) + Self.skips(other.skips, within: self.times)
    for skip in self.skips {
      for another in other.skips {
        guard let ids = Self.overlap(skip.ids, another.ids) else { continue }
        // Each has the events beside the ids at its own time.
        let time =
          min(
            skip.time.lowerBound, another.time.lowerBound)...max(
            skip.time.upperBound, another.time.upperBound)
        skips.append(Skip(time: time, ids: ids))
      }
    }
    return Missing(times: times, skips: skips)
  }

  private static func skips(_ skips: [Skip], within times: [ClosedRange<Int64>]) -> [Skip] {
    skips.flatMap { skip in
      times.compactMap { time in overlap(skip.time, time).map { Skip(time: $0, ids: skip.ids) } }
    }
  }

  private static func overlap(_ one: ClosedRange<Int64>, _ other: ClosedRange<Int64>) -> ClosedRange<Int64>? {
    let (first, last) = (max(one.lowerBound, other.lowerBound), min(one.upperBound, other.upperBound))
    return first <= last ? first...last : nil
  }
}
