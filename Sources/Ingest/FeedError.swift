/// A failure between the feed and the exchange.
package struct FeedError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The kind of failure.
  package enum Code: Equatable, Sendable {
    /// The address cannot be used.
    case badAddress
    /// No streams to subscribe to.
    case noStreams
    /// The file of trusted certificates cannot be used.
    case badCABundle
    /// The server's name could not be looked up.
    case lookupFailed
    /// The server could not be reached.
    case connectFailed
    /// The connection could not be secured: the certificate, its name, the protocol.
    case tlsFailed
    /// The server answered the request to open a WebSocket with this HTTP status.
    case refused(status: Int)
    /// The server's answer to the request was not that of a WebSocket server.
    case badUpgrade
    /// The server broke the WebSocket protocol.
    case badFrame
    /// The server gave a reason for its close that is not UTF-8.
    case badText
    /// A message was larger than allowed.
    case messageTooLarge
    /// The server closed the connection with this code; nil if it gave none.
    case closed(code: Int?)
    /// Something took too long.
    case timedOut
  }

  package let code: Code
  /// Safe for a log line, and short.
  package let description: String
  /// The moment before which the exchange does not want to be asked again; nil if it does not say.
  let retryAfter: RetryAfter?

  init(_ code: Code, _ description: String, retryAfter: RetryAfter? = nil) {
    self.code = code
    self.description = description
    self.retryAfter = retryAfter
  }

  /// True if this client was too quick for the exchange, at whichever of its addresses.
  var isAboutPace: Bool { code == .refused(status: 429) || code == .refused(status: 418) }

  /// The failure without what a server may say differently each time: equal ones are told once.
  var kind: String {
    switch code {
    case .refused, .closed, .badUpgrade, .badFrame: "\(code)"
    default: description
    }
  }
}
