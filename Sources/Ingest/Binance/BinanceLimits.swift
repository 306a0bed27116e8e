extension ExchangeLimits {
  /// Binance's.
  ///
  /// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams: "A single connection
  /// can listen to a maximum of 1024 streams", "limit of 300 connections per attempt every 5 minutes per IP",
  /// "WebSocket connections have a limit of 5 incoming messages per second", "A single connection […] is only valid
  /// for 24 hours"
  package static let binance = ExchangeLimits(
    streamsPerConnection: 1_024, attempts: 300, attemptWindow: .seconds(300), messagesPerSecond: 5,
    connectionAge: .seconds(24 * 3_600), replacementAge: .seconds(23 * 3_600))
}
