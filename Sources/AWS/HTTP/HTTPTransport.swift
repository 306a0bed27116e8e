/// Sends one request and waits for the complete answer.
///
/// Any status is an answer, redirects too. Throws `TransportError` when there was none, and
/// `CancellationError` when the awaiting task was cancelled.
package protocol HTTPTransport: Sendable {
  func send(_ request: HTTPRequest) async throws -> HTTPResponse
}
