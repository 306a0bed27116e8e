import Synchronization

/// One request on its way to curl's thread and back.
final class CurlTransfer: Sendable {
  let request: HTTPRequest
  private let cancelled = Atomic(false)

  init(_ request: HTTPRequest) {
    self.request = request
  }

  var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

  func cancel() { cancelled.store(true, ordering: .releasing) }
}
