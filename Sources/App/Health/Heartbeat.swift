import AWS
import Base
import CoreMetrics
import Logging

/// Asks a URL regularly while the process is ready, so that somebody else notices when it is not. Its failures are
/// counted, and never hurt.
struct Heartbeat: Sendable {
  let url: URLText
  let interval: Duration
  let isReady: @Sendable () async -> Bool
  let logger: Logger
  private let failures = Counter(label: "heartbeat_failures_total")

  init(url: URLText, interval: Duration, logger: Logger, isReady: @escaping @Sendable () async -> Bool) {
    self.url = url
    self.interval = interval
    self.logger = logger
    self.isReady = isReady
  }

  private static let timeout = Duration.seconds(10)

  /// Runs until it is cancelled.
  func run() async throws {
    guard let endpoint = Endpoint(serverOf: url) else { return }
    let transport: CurlTransport
    do {
      transport = try CurlTransport(TransportConfiguration(environment: ProcessEnvironment.current))
    } catch {
      return logger.error("there is no heartbeat: it cannot be sent", metadata: ["error": "\(error)"])
    }
    defer { transport.close() }
    let request = HTTPRequest(
      .get, endpoint, path: url.path.isEmpty ? "/" : url.path, query: url.query ?? "",
      headers: ["Host": endpoint.authority], timeout: Self.timeout)
    var isWell = true
    while true {
      if await isReady() {
        let trouble = try await send(request, over: transport)
        if trouble != nil { failures.increment() }
        if let trouble, isWell {
          logger.warning(
            "a heartbeat got no good answer: everything goes on, and it is sent again",
            metadata: ["error": "\(trouble)"])
        }
        isWell = trouble == nil
      }
      try await ContinuousClock().sleep(for: interval)
    }
  }

  /// - Returns: what was wrong; nil if it arrived. Without the URL, which is a secret.
  private func send(_ request: HTTPRequest, over transport: CurlTransport) async throws -> String? {
    do {
      let response = try await transport.send(request)
      return (200..<300).contains(response.status) ? nil : "HTTP \(response.status)"
    } catch let error as TransportError {
      return "\(error.code)"
    } catch {
      try Task.checkCancellation()
      return "it could not be sent"
    }
  }
}
