import Base

/// Sends one request and waits for the complete answer.
///
/// Any status is an answer, redirects too. Throws `TransportError` when there was none, and
/// `CancellationError` when the awaiting task was cancelled.
package protocol HTTPTransport: Sendable {
  func send(_ request: HTTPRequest) async throws -> HTTPResponse

  /// Sends one request without a task that waits for the answer.
  ///
  /// - Parameter completion: called once with the answer or with what `send` would throw, on a thread that many
  ///   requests share: it must not block. What it returns is called when the other answers of that moment are given,
  ///   so that whoever waits is woken once for all of them.
  /// - Returns: calls the request off; `nil` if nothing was sent and `send` must be used.
  func submit(_ request: HTTPRequest, _ completion: @escaping AnswerCompletion) -> CallOff?
}

package typealias AnswerCompletion = @Sendable (Result<HTTPResponse, any Error>) -> Wake?

extension HTTPTransport {
  package func submit(_ request: HTTPRequest, _ completion: @escaping AnswerCompletion) -> CallOff? { nil }
}
