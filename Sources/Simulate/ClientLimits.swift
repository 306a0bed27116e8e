import NIOCore

/// The exchange's limits on clients. Stated here once more than where the feed keeps to them: the stand-in judges
/// the feed, and a test compares the two.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams, "WebSocket Limits"
package enum ClientLimits {
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
  /// The time between two pings of the exchange, and the time that a client has for its answer.
  package static let pingInterval = Duration.seconds(20)
  package static let pongTimeout = Duration.seconds(60)
}
