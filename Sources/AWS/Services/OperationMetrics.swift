import Base
import CoreMetrics

/// The metrics of one kind of request; made once with it.
struct OperationMetrics: Sendable {
  private let requests: [String: Counter]
  private let duration: Timer
  private let retries: [AWSError.Kind: Counter]
  private let throttles: Counter

  init(_ service: Service, _ operation: String) {
    let service = ("service", service.rawValue)
    let operation = ("operation", operation)
    let results = ["ok"] + AWSError.Kind.allCases.map(\.word)
    requests = Dictionary(
      uniqueKeysWithValues: results.map {
        ($0, Counter(label: "aws_requests_total", dimensions: [service, operation, ("result", $0)]))
      })
    duration = Timer(label: "aws_request_duration_seconds", dimensions: [service, operation])
    retries = Dictionary(
      uniqueKeysWithValues: AWSError.Kind.allCases.filter { $0 != .permanent }.map {
        ($0, Counter(label: "aws_retries_total", dimensions: [service, ("reason", $0.word)]))
      })
    throttles = Counter(label: "aws_throttles_total", dimensions: [service])
  }

  /// One request has its answer, or has none. - Parameter error: nil if it was what was asked for.
  func ended(_ error: AWSError?, after time: Duration) {
    let parts = time.components
    duration.recordNanoseconds(parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000)
    requests[error?.kind.word ?? "ok"]?.increment()
    if error?.kind == .throttled { throttles.increment() }
  }

  /// An answer that counted as a success refuses parts of the request, which are sent again.
  func partlyRefused(_ kind: AWSError.Kind) {
    if kind == .throttled { throttles.increment() }
    retries[kind]?.increment()
  }

  func retried(_ error: AWSError) { retries[error.kind]?.increment() }
}

extension AWSError.Kind {
  /// As labels say it.
  package var word: String {
    switch self {
    case .credentialsRefused: "credentials_refused"
    case .clockSkewed: "clock_skewed"
    default: rawValue
    }
  }
}
