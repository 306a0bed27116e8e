import Base

/// Tells what an answer that is no success means.
///
/// Reference: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html,
/// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html,
/// https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
struct AWSErrorClassifier {
  /// Signatures are valid for five minutes around the server's time; half a minute is left for the way.
  private static let tolerableSkew = 270

  private static let throttled: Set<String> = [
    "BandwidthLimitExceeded", "EC2ThrottledException", "KMSThrottlingException", "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "ReducedRateLimit", "RequestLimitExceeded", "RequestThrottled",
    "RequestThrottledException", "SlowDown", "ThrottledException", "Throttling", "ThrottlingException",
    "TooManyRequestsException",
  ]
  private static let credentialsRefused: Set<String> = [
    "AccessDenied", "AccessDeniedException", "AccountProblem", "AllAccessDisabled", "AuthFailure",
    "AuthorizationError", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature",
    "IncompleteSignatureException", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSecurity",
    "InvalidSignatureException", "InvalidToken", "MissingAuthenticationToken",
    "MissingAuthenticationTokenException", "NotAuthorized", "NotSignedUp", "OptInRequired",
    "SignatureDoesNotMatch", "TokenRefreshRequired", "UnauthorizedAccess", "UnrecognizedClientException",
  ]
  private static let clockSkewed: Set<String> = [
    "RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed",
  ]
  private static let missing: Set<String> = [
    "NoSuchBucket", "ResourceNotFoundException", "TableNotFoundException",
  ]
  private static let transient: Set<String> = [
    // Damaged or cut short on the way: the body is checked against the caller's hash before it is signed.
    "BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch",
    "ConditionalRequestConflict", "InternalError", "InternalFailure", "InternalFailureException",
    "InternalServerError",
    "OperationAborted",
    "IDPCommunicationError", "RequestTimeout", "RequestTimeoutException", "ResourceInUseException",
    "ServiceUnavailable",
    "ServiceUnavailableException", "TransactionConflictException", "TransactionInProgressException",
  ]
  private static let permanent: Set<String> = [
    // Archived. Nobody restores it for our asking again, and S3 says it with 403.
    "InvalidObjectState"
  ]

  var operation: String
  /// The time that the request was signed with, epoch seconds UTC.
  var signedAt: Int
  /// The machine's clock, epoch seconds UTC, for a `Retry-After` given as a date without a `Date` beside it.
  var now: Int
  /// The region that was asked; nil where it does not matter.
  var region: String?

  func error(_ response: HTTPResponse) -> AWSError {
    let fault = ServiceFault(response)
    if let error = wrongRegion(response, fault) { return error }
    let code = fault.code.map { AWSError.Code(rawValue: $0) } ?? Self.code(status: response.status)
    var error = AWSError(
      code, kind(response, fault), operation: operation, status: response.status, message: fault.message,
      retryAfter: retryAfter(response), requestID: response.requestID)
    error.isFromService = Self.isFromService(response, fault)
    if error.isFromService { error.date = response.date }
    return error
  }

  /// Whether an answer is the service's own, and not that of a proxy or portal in between, whose clock is another.
  private static func isFromService(_ response: HTTPResponse, _ fault: ServiceFault) -> Bool {
    fault.code != nil || response.requestID != nil
  }

  /// S3 sends requests for a bucket of another region away, and tells which one it is.
  ///
  /// Reference: https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
  private func wrongRegion(_ response: HTTPResponse, _ fault: ServiceFault) -> AWSError? {
    guard let region, [301, 307, 400].contains(response.status),
      let home = response.header("x-amz-bucket-region") ?? fault.region, home != region
    else { return nil }
    return AWSError(
      .wrongRegion, .missing, operation: operation, status: response.status,
      message:
        "the bucket is in \(ServiceFault.firstLine(home)), not in \(region): set REGION, or use another bucket",
      requestID: response.requestID, date: response.date)
  }

  private func kind(_ response: HTTPResponse, _ fault: ServiceFault) -> AWSError.Kind {
    let kind = fault.code.flatMap(Self.kind(code:)) ?? Self.kind(status: response.status, fault.code)
    guard kind == .credentialsRefused else { return kind }
    if fault.message.hasPrefix("Signature expired") || fault.message.hasPrefix("Signature not yet current") {
      return .clockSkewed
    }
    // A HEAD's answer has no body, and some services call a skewed request just a wrong signature.
    if Self.isFromService(response, fault), let date = response.date,
      abs(date - signedAt) > Self.tolerableSkew
    {
      return .clockSkewed
    }
    return .credentialsRefused
  }

  /// The answer to a HEAD says no more than its status.
  private static func code(status: Int) -> AWSError.Code {
    switch status {
    case 400: "BadRequest"
    case 403: "Forbidden"
    case 404: "NotFound"
    case 412: .preconditionFailed
    default: .unexpectedAnswer
    }
  }

  /// - Returns: nil for a code that is not known.
  static func kind(code: String) -> AWSError.Kind? {
    if throttled.contains(code) { return .throttled }
    if credentialsRefused.contains(code) { return .credentialsRefused }
    if clockSkewed.contains(code) { return .clockSkewed }
    // A KMS key that is disabled or pending deletion can be enabled again.
    if missing.contains(code) || code.hasPrefix("KMS") { return .missing }
    if transient.contains(code) { return .transient }
    if permanent.contains(code) { return .permanent }
    return nil
  }

  private static func kind(status: Int, _ code: String?) -> AWSError.Kind {
    switch status {
    case 429: .throttled
    case 408, 409, 500...: .transient
    case 401, 403: .credentialsRefused
    case 404: .missing
    case 307: .transient
    case 412: .permanent
    // S3 answers an expired token with 400, and a HEAD's answer does not say so.
    case 400 where code == nil: .credentialsRefused
    // Not the service's words: a proxy's page, or a success that was none. It says nothing about the request.
    default: code == nil ? .transient : .permanent
    }
  }

  private func retryAfter(_ response: HTTPResponse) -> Duration? {
    guard let text = response.header("retry-after") else { return nil }
    if let seconds = DecimalDigits.parse(text, upTo: Int.max) { return .seconds(min(seconds, 86_400)) }
    guard let date = HTTPDate.epochSeconds(text.utf8) else { return nil }
    return .seconds(max(0, date - (response.date ?? now)))
  }
}

extension HTTPResponse {
  var requestID: String? {
    header("x-amzn-requestid") ?? header("x-amz-request-id")
  }

  var answer: Answer { Answer(date: date, requestID: requestID) }
}
