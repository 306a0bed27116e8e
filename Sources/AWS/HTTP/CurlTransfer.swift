import Synchronization

/// One request on its way from the awaiting task to curl's thread and back.
final class CurlTransfer: Sendable {
  typealias Continuation = CheckedContinuation<HTTPResponse, any Error>

  let request: HTTPRequest
  private let cancelled = Atomic(false)

  init(_ request: HTTPRequest) {
    self.request = request
  }

  var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

  func cancel() { cancelled.store(true, ordering: .releasing) }
}
