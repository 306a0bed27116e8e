import Base

/// The offsets of the last half minute, for rates: a pure value.
struct RateMemory {
  struct Moment {
    /// On the monotonic clock.
    let time: Duration
    let head: Int64
    /// The next offset of each consumer, by name.
    let next: [String: Int64]
  }

  static let pause = Duration.seconds(5)
  private static let kept = 7
  private var moments: [Moment] = []

  mutating func add(_ moment: Moment) {
    moments.append(moment)
    if moments.count > Self.kept { moments.removeFirst(moments.count - Self.kept) }
  }

  /// Nil before there are two.
  var rates: ControlAnswer.Feed.Process.Rates? {
    guard let first = moments.first, let last = moments.last, last.time > first.time else { return nil }
    let seconds = (last.time - first.time) / .seconds(1)
    var shipped: [String: Double] = [:]
    for (name, next) in last.next {
      guard let before = first.next[name] else { continue }
      shipped[name] = Double(next.subtractingSaturated(before)) / seconds
    }
    return ControlAnswer.Feed.Process.Rates(
      appended: Double(last.head.subtractingSaturated(first.head)) / seconds, shipped: shipped)
  }
}
