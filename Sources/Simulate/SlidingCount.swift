import NIOCore

/// A count of what happened within a span of time that ends now.
struct SlidingCount: Sendable {
  private let span: TimeAmount
  private var times: CircularBuffer<NIODeadline> = []

  init(span: TimeAmount) { self.span = span }

  /// Counts one more, and returns how many there are in the span.
  ///
  /// - Parameter earliest: when it may have happened already, if it was noticed late: what a busy reader finds
  ///   in one go may have come a while apart, and only what was certainly too close together counts.
  mutating func add(at now: NIODeadline, earliest: NIODeadline) -> Int {
    while let first = times.first, now - first >= span { times.removeFirst() }
    times.append(min(now, earliest))
    return times.count
  }
}
