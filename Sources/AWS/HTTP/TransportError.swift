/// Why a request got no answer.
package struct TransportError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Code: String, Sendable {
    case resolve = "the name could not be resolved"
    case connect = "could not connect"
    case tls = "TLS failed"
    case timedOut = "timed out"
    case connectionLost = "the connection was lost"
    case malformedAnswer = "the answer is not HTTP"
    case responseTooLarge = "the answer is too large"
    case invalidRequest = "the request cannot be sent"
    case closed = "the transport is closed"
    case overloaded = "too many requests at once"
    case failed = "the transfer failed"
  }

  package var code: Code
  /// Scheme, host and port; never the path, the query or a proxy's password.
  package var origin: String
  /// curl's own words.
  package var detail: String

  package init(code: Code, origin: String, detail: String = "") {
    self.code = code
    self.origin = origin
    self.detail = detail
  }

  /// The same request may succeed later.
  package var isRetriable: Bool {
    switch code {
    case .invalidRequest, .closed, .responseTooLarge: false
    default: true
    }
  }

  package var description: String {
    detail.isEmpty ? "\(code.rawValue) (\(origin))" : "\(code.rawValue): \(detail) (\(origin))"
  }

  static func closed(_ endpoint: Endpoint?) -> TransportError {
    let origin = endpoint.map { "\($0.scheme.rawValue)://\($0.authority)" } ?? "curl"
    return TransportError(code: .closed, origin: origin)
  }
}
