/// Why a call to AWS did not do what it was asked.
///
/// The description is safe for logs: no key, token, header or request body is in it.
package struct AWSError: Error, Sendable, Equatable {
  /// The service's own code, without its namespace; or one of this module's for calls without an answer.
  package struct Code: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral {
    package var rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
    package init(stringLiteral value: String) { rawValue = value }

    /// No answer: the network, TLS or a time-out.
    package static let transport: Code = "Transport"
    /// No credentials could be had to sign with.
    package static let credentialsUnavailable: Code = "CredentialsUnavailable"
    /// The answer is not what the service documents.
    package static let unexpectedAnswer: Code = "UnexpectedAnswer"
    /// The answer's body is longer than the caller takes.
    package static let answerTooLarge: Code = "AnswerTooLarge"
    package static let validation: Code = "ValidationException"
    package static let noSuchBucket: Code = "NoSuchBucket"
    package static let resourceNotFound: Code = "ResourceNotFoundException"
    package static let preconditionFailed: Code = "PreconditionFailed"
    package static let accessDenied: Code = "AccessDenied"
    /// The bucket is in another region than the one that was asked.
    package static let wrongRegion: Code = "WrongRegion"
  }

  /// The way to treat it.
  package enum Kind: String, Sendable, CaseIterable {
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

  package var code: Code
  package var kind: Kind
  /// `PutObject`, `UpdateItem`, …
  package var operation: String
  /// The thing that it is done to; nil where there is none, as with STS.
  package var resource: AWSResource?
  /// nil when there was no answer.
  package var status: Int?
  /// One line in the service's own words.
  package var message: String
  /// The wait that the server asked for.
  package var retryAfter: Duration?
  package var requestID: String?
  /// The service's `Date`, epoch seconds UTC; nil for that of somebody in between.
  package var date: Int?
  /// Whether the service itself has answered so.
  package var isFromService = false

  package init(
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

  package var isRetriable: Bool { kind != .permanent }
}

extension AWSError: CustomStringConvertible {
  package var description: String {
    var text = "\(operation)\(resource.map { " on \($0)" } ?? ""): \(code.rawValue)"
    if let status { text += " (HTTP \(status))" }
    if !message.isEmpty { text += ": \(message)" }
    if let requestID { text += " [request \(requestID)]" }
    return text
  }
}
