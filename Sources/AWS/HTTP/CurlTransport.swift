import Base
import CCurl
import Glibc

/// The transport over libcurl: one thread, kept-alive HTTP/1.1 connections, TLS 1.2 or newer, verified.
///
/// Reference: https://curl.se/libcurl/c/libcurl-multi.html
package final class CurlTransport: HTTPTransport {
  private static let globalResult = curl_global_init(Int(CURL_GLOBAL_ALL))

  private let mailbox: CurlMailbox

  /// Starts the thread. Throws `TransportError` when curl or the thread cannot be set up.
  package convenience init(
    _ configuration: TransportConfiguration = TransportConfiguration()
  ) throws(TransportError) {
    try self.init(configuration) { false }
  }

  /// - Parameter isOutOfMemory: asked each time that curl is to work; for tests.
  init(
    _ configuration: TransportConfiguration, isOutOfMemory: @escaping @Sendable () -> Bool
  ) throws(TransportError) {
    func unavailable(_ detail: String) -> TransportError {
      TransportError(code: .failed, origin: "curl", detail: detail)
    }
    guard Self.globalResult == CURLE_OK else { throw unavailable("curl_global_init failed") }
    guard let multi = curl_multi_init() else { throw unavailable("curl_multi_init failed") }
    let limit = configuration.connectionLimit.map { max(1, $0) }
    curl_multi_set_long(
      multi, CURLMOPT_MAXCONNECTS, min(configuration.maximumConnections, limit ?? .max))
    if let limit { curl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, limit) }
    curl_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))

    do throws(SystemError) {
      let wakeUp = try WakeUp()
      mailbox = CurlMailbox(wakeUp: wakeUp, limit: configuration.maximumRequests)
      let handles = Handles(multi: multi, sockets: try CurlSockets(wakeup: wakeUp))
      _ = try DedicatedThread(named: "curl") { [mailbox] in
        Self.quieten()
        CurlLoop(
          multi: handles.multi, sockets: handles.sockets, mailbox: mailbox, configuration: configuration,
          isOutOfMemory: isOutOfMemory
        ).run()
      }
    } catch {
      curl_multi_cleanup(multi)
      throw unavailable(error.description)
    }
  }

  // Safe because both are handed to curl's own thread, which alone uses them from then on.
  // Breaks if anything here keeps them.
  private struct Handles: @unchecked Sendable {
    let multi: UnsafeMutableRawPointer
    let sockets: CurlSockets
  }

  deinit {
    mailbox.close()
  }

  package func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    let transfer = CurlTransfer(request)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let submission = CurlMailbox.Submission(transfer: transfer) { answer in
          continuation.resume(with: answer)
          return nil
        }
        guard let refusal = mailbox.submit(submission) else { return }
        var error = TransportError.closed(request.endpoint)
        error.code = refusal
        continuation.resume(throwing: error)
      }
    } onCancel: {
      mailbox.cancel(transfer)
    }
  }

  package func submit(_ request: HTTPRequest, _ completion: @escaping AnswerCompletion) -> CallOff? {
    let transfer = CurlTransfer(request)
    guard mailbox.submit(CurlMailbox.Submission(transfer: transfer, completion: completion)) == nil else {
      return nil
    }
    return { [mailbox] in mailbox.cancel(transfer) }
  }

  /// Finishes every waiting request with `TransportError.Code.closed` and ends the thread; waits for neither.
  /// Later requests are refused. Closing twice does nothing.
  package func close() {
    mailbox.close()
  }

  /// Signals go to other threads. SIGPIPE above all: OpenSSL writes to closed sockets without MSG_NOSIGNAL.
  private static func quieten() {
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM] {
      sigaddset(&signals, signal)
    }
    pthread_sigmask(SIG_BLOCK, &signals, nil)
  }
}
