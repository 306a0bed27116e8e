import WAL

/// The limits that an exchange puts on its clients, as one value. Another one than the exchange's own is for
/// rehearsals against a server of one's own.
package struct ExchangeLimits: Equatable, Sendable {
  /// Streams that one connection may have.
  package var streamsPerConnection: Int
  /// Attempts to connect in any stretch of ``attemptWindow``, counted over all connections.
  package var attempts: Int
  package var attemptWindow: Duration
  /// Messages that a client may send on one connection in a second; pings and pongs count.
  package var messagesPerSecond: Int
  /// The age at which the exchange ends a connection.
  package var connectionAge: Duration
  /// The age before which a connection is replaced.
  package var replacementAge: Duration

  package init(
    streamsPerConnection: Int, attempts: Int, attemptWindow: Duration, messagesPerSecond: Int,
    connectionAge: Duration, replacementAge: Duration
  ) {
    self.streamsPerConnection = streamsPerConnection
    self.attempts = attempts
    self.attemptWindow = attemptWindow
    self.messagesPerSecond = messagesPerSecond
    self.connectionAge = connectionAge
    self.replacementAge = replacementAge
  }

  /// The part of it that the log keeps over a restart.
  var attemptMemory: AttemptMemory { AttemptMemory(count: attempts, window: attemptWindow) }
}
