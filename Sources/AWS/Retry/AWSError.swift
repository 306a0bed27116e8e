/// Why a call to AWS did not do what it was asked.
///
/// The description is safe for logs: no key, token, header or request body is in it.
public struct AWSError: Error, Sendable, Equatable {
  /// The service's own code, without its namespace; or one of this module's for calls without an answer.
  public struct Code: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }

    /// No answer: the network, TLS or a time-out.
    public static let transport: Code = "Transport"
    /// No credentials could be had to sign with.
    public static let credentialsUnavailable: Code = "CredentialsUnavailable"
    /// The answer is not what the service documents.
    public static let unexpectedAnswer: Code = "UnexpectedAnswer"
    public static let validation: Code = "ValidationException"
    public static let noSuchBucket: Code = "NoSuchBucket"
    public static let resourceNotFound: Code = "ResourceNotFoundException"
    public static let preconditionFailed: Code = "PreconditionFailed"
    public static let accessDenied: Code = "AccessDenied"
  }

  /// What to do about it.
  public enum Kind: String, Sendable {
    /// Network, 5xx, a conflict with a request in flight: the same again later.
    case transient
    /// Too fast: the same again later, and slower.
    case throttled
    /// The keys are wrong, expired or lack a right: read them anew before the next attempt.
    case credentialsRefused
    /// This machine's clock is off: sign by the server's.
    case clockSkewed
    /// Bucket, table or secret is not there; an operator may still make it.
    case missing
    /// The same request will never succeed.
    case permanent
  }

  public var code: Code
  public var kind: Kind
  /// `PutObject`, `UpdateItem`, …
  public var operation: String
  /// nil when there was no answer.
  public var status: Int?
  /// One line in the service's own words.
  public var message: String
  /// What the server asked to wait.
  public var retryAfter: Duration?
  public var requestID: String?
  /// The server's `Date`, epoch seconds UTC.
  public var date: Int?

  public init(
    _ code: Code, _ kind: Kind, operation: String, status: Int? = nil, message: String = "",
    retryAfter: Duration? = nil, requestID: String? = nil, date: Int? = nil
  ) {
    self.code = code
    self.kind = kind
    self.operation = operation
    self.status = status
    self.message = message
    self.retryAfter = retryAfter
    self.requestID = requestID
    self.date = date
  }

  public var isRetriable: Bool { kind != .permanent }
}

extension AWSError: CustomStringConvertible {
  public var description: String {
    var text = "\(operation): \(code.rawValue)"
    if let status { text += " (HTTP \(status))" }
    if !message.isEmpty { text += ": \(message)" }
    if let requestID { text += " [request \(requestID)]" }
    return text
  }
}
