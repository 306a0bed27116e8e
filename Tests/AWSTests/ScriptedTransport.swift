import AWS
import Base
import Synchronization

/// Answers from a list, one a request, and remembers what was asked; the last answer is repeated.
final class ScriptedTransport: HTTPTransport {
  private let state: Mutex<(answers: [Result<HTTPResponse, TransportError>], requests: [HTTPRequest])>

  init(_ answers: Result<HTTPResponse, TransportError>...) {
    state = Mutex((answers, []))
  }

  var requests: [HTTPRequest] { state.withLock { $0.requests } }

  func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    try state.withLock { state in
      state.requests.append(request)
      return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
    }.get()
  }

  /// Answers before it returns.
  func submit(_ request: HTTPRequest, _ completion: @escaping AnswerCompletion) -> CallOff? {
    let answer = state.withLock { state in
      state.requests.append(request)
      return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
    }
    completion(answer.mapError { $0 })?()
    return {}
  }
}

extension HTTPResponse {
  static func answer(_ status: Int, _ headers: [String: String] = [:], _ body: String = "") -> HTTPResponse {
    var head = ""
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    return HTTPResponse(status: status, head: Array("\(head)\r\n".utf8), body: Array(body.utf8))
  }
}

extension Result<HTTPResponse, TransportError> {
  static func answer(_ status: Int, _ headers: [String: String] = [:], _ body: String = "") -> Self {
    .success(HTTPResponse.answer(status, headers, body))
  }

  static var lost: Self {
    .failure(TransportError(code: .connectionLost, origin: "http://x"))
  }
}

/// A clock that does not wait: whoever sleeps wakes at once, and how long is written down.
final class RecordingClock: Clock {
  struct Instant: InstantProtocol {
    var offset: Duration
    func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
    func duration(to other: Instant) -> Duration { other.offset - offset }
    static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
  }

  private let state = Mutex((now: Instant(offset: .zero), sleeps: [Duration]()))

  var now: Instant { state.withLock { $0.now } }
  var minimumResolution: Duration { .nanoseconds(1) }
  var sleeps: [Duration] { state.withLock { $0.sleeps } }

  func sleep(until deadline: Instant, tolerance: Duration?) async throws {
    try Task.checkCancellation()
    state.withLock { state in
      state.sleeps.append(state.now.duration(to: deadline))
      state.now = max(state.now, deadline)
    }
  }
}

/// Hands out what a closure makes of the number of the call.
final class CountingProvider: CredentialProvider {
  private let calls = Mutex(0)
  private let make: @Sendable (Int) async throws -> Credentials

  init(_ make: @escaping @Sendable (Int) async throws -> Credentials) { self.make = make }

  var count: Int { calls.withLock { $0 } }

  func credentials() async throws -> Credentials {
    try await make(
      calls.withLock {
        $0 += 1
        return $0
      })
  }

  static func keys(_ number: Int, expiration: Int? = nil) -> Credentials {
    Credentials(
      accessKeyID: "AKID\(number)", secretAccessKey: "secret-\(number)", expiration: expiration,
      source: "test")
  }
}
