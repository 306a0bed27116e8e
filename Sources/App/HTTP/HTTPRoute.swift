import Base
import Observe

/// The decision what an HTTP request gets. Pure.
enum HTTPRoute: Equatable {
  case metrics(Exposition)
  case livez
  case readyz
  case status
  case history
  case page
  case refused(Refusal)

  enum Refusal: Int {
    case badRequest = 400
    case notFound = 404
    case notAllowed = 405
    case misdirected = 421
    case tooLarge = 431

    var reason: String {
      switch self {
      case .badRequest: "this is no HTTP request that is understood here"
      case .notFound: "there is /, /metrics, /livez, /readyz, /api/status and /api/history"
      case .notAllowed: "nothing can be changed through HTTP: only GET is answered"
      case .misdirected: "the Host is none of this server's names: add it to HTTP_ALLOWED_HOSTS"
      case .tooLarge: "the request is too long"
      }
    }
  }

  /// The parts of a request that matter.
  struct Question {
    let method: String
    /// As the request line has it.
    let target: String
    let isHTTP10: Bool
    let hosts: [String]
    let accept: String?
  }

  /// - Parameter names: hosts that are this server's, in lower case, without ports or brackets.
  init(_ question: Question, names: Set<String>) {
    guard Self.isOurs(question, names) else {
      self = .refused(.misdirected)
      return
    }
    guard question.method == "GET" else {
      self = .refused(.notAllowed)
      return
    }
    switch question.target.prefix(while: { $0 != "?" }) {
    case "/": self = .page
    case "/metrics": self = .metrics(Exposition(accept: question.accept))
    case "/livez": self = .livez
    case "/readyz": self = .readyz
    case "/api/status": self = .status
    case "/api/history": self = .history
    default: self = .refused(.notFound)
    }
  }

  /// A page of somewhere else whose name was made to lead here names its own host. HTTP/1.0 needs no name.
  private static func isOurs(_ question: Question, _ names: Set<String>) -> Bool {
    guard let host = question.hosts.first else { return question.isHTTP10 }
    guard question.hosts.count == 1 else { return false }
    return names.contains(name(ofHost: host))
  }

  /// `[::1]:9464` is `::1`, `Example.com.:80` is `example.com`.
  static func name(ofHost host: String) -> String {
    let text = Text.trimmed(host).lowercased()
    if text.hasPrefix("[") {
      return String(text.dropFirst().prefix { $0 != "]" })
    }
    var name = text.prefix { $0 != ":" }
    if name.hasSuffix(".") { name.removeLast() }
    return String(name)
  }
}

/// The answer to one request.
struct HTTPReply: Sendable, Equatable {
  var status: Int
  var contentType = "application/json"
  var body: String
  var result: HTTPResult
  /// The Content-Security-Policy: nothing but text by default.
  var policy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
}
