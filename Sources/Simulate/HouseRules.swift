import NIOCore

/// The exchange's limits on clients.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams, "WebSocket Limits"
package enum HouseRules {
  /// A limit that a client can break.
  package enum Rule: String, Sendable, Hashable, CaseIterable {
    case attempts = "too-many-attempts"
    case messages = "too-many-messages"
    case streams = "too-many-streams"
  }

  /// Streams a connection may have.
  static let streams = 1024
  /// Connections an address may begin in ``attemptSpan``.
  static let attempts = 300
  static let attemptSpan = TimeAmount.minutes(5)
  /// Requests, pings and pongs a client may send in ``messageSpan``.
  static let messages = 5
  static let messageSpan = TimeAmount.seconds(1)
}

/// Counts what happened within a span of time that ends now.
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
