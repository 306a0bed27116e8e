import Testing

@testable import AWS

@Suite struct ClassifierTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var response: HTTPResponse
    var code: AWSError.Code
    var kind: AWSError.Kind

    init(
      _ status: Int, _ body: String, _ code: AWSError.Code, _ kind: AWSError.Kind,
      headers: [String: String] = [:]
    ) {
      testDescription = "\(status) \(body.prefix(60)) \(headers)"
      response = HTTPResponse.answer(status, headers, body)
      self.code = code
      self.kind = kind
    }
  }

  static func xml(_ code: String, _ message: String = "words") -> String {
    """
    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>\(code)</Code><Message>\(message)</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>
    """
  }

  static func json(_ type: String, _ message: String = "words") -> String {
    #"{"__type":"\#(type)","message":"\#(message)"}"#
  }

  static let dynamo = "com.amazonaws.dynamodb.v20120810#"

  static let cases: [Case] = [
    Case(503, xml("SlowDown"), "SlowDown", .throttled),
    Case(500, xml("InternalError"), "InternalError", .transient),
    Case(403, xml("RequestTimeTooSkewed"), "RequestTimeTooSkewed", .clockSkewed),
    Case(403, xml("InvalidAccessKeyId"), "InvalidAccessKeyId", .credentialsRefused),
    Case(403, xml("SignatureDoesNotMatch"), "SignatureDoesNotMatch", .credentialsRefused),
    Case(403, xml("AccessDenied"), .accessDenied, .credentialsRefused),
    Case(400, xml("ExpiredToken"), "ExpiredToken", .credentialsRefused),
    Case(400, xml("RequestTimeout"), "RequestTimeout", .transient),
    Case(400, xml("BadDigest"), "BadDigest", .transient),
    Case(400, xml("InvalidRequest"), "InvalidRequest", .permanent),
    Case(403, xml("InvalidObjectState"), "InvalidObjectState", .permanent),
    Case(400, xml("KMS.DisabledException"), "KMS.DisabledException", .missing),
    Case(404, xml("NoSuchBucket"), .noSuchBucket, .missing),
    Case(409, xml("ConditionalRequestConflict"), "ConditionalRequestConflict", .transient),
    Case(412, xml("PreconditionFailed"), .preconditionFailed, .permanent),
    Case(412, "", .preconditionFailed, .permanent),
    Case(301, xml("PermanentRedirect"), "PermanentRedirect", .permanent),
    Case(307, xml("TemporaryRedirect"), "TemporaryRedirect", .transient),

    Case(
      400, json(dynamo + "ProvisionedThroughputExceededException"),
      "ProvisionedThroughputExceededException",
      .throttled),
    Case(
      400, json("com.amazon.coral.availability#ThrottlingException"), "ThrottlingException", .throttled),
    Case(400, json(dynamo + "RequestLimitExceeded"), "RequestLimitExceeded", .throttled),
    Case(
      400, json("com.amazon.coral.validate#ValidationException"), .validation, .permanent),
    Case(400, json("SerializationException"), "SerializationException", .permanent),
    Case(400, json(dynamo + "ResourceNotFoundException"), .resourceNotFound, .missing),
    Case(
      400, json("com.amazon.coral.service#UnrecognizedClientException"), "UnrecognizedClientException",
      .credentialsRefused),
    Case(
      400, json("com.amazon.coral.service#InvalidSignatureException"), "InvalidSignatureException",
      .credentialsRefused),
    Case(
      400, json("InvalidSignatureException", "Signature expired: 20150830T1 is now earlier than …"),
      "InvalidSignatureException", .clockSkewed),
    Case(
      400, json("InvalidSignatureException", "Signature not yet current: …"), "InvalidSignatureException",
      .clockSkewed),
    Case(400, json("ExpiredTokenException"), "ExpiredTokenException", .credentialsRefused),
    Case(500, json("InternalServerError"), "InternalServerError", .transient),
    Case(
      400, #"{"Message":"x"}"#, "AccessDeniedException", .credentialsRefused,
      headers: ["x-amzn-ErrorType": "AccessDeniedException:http://internal.amazon.com/"]),
    Case(
      400, json(dynamo + "ConditionalCheckFailedException"), "ConditionalCheckFailedException", .permanent
    ),

    Case(500, "", .unexpectedAnswer, .transient),
    Case(502, "<html><h1>502 Bad Gateway</h1></html>", .unexpectedAnswer, .transient),
    Case(503, "not available", .unexpectedAnswer, .transient),
    Case(429, "", .unexpectedAnswer, .throttled),
    Case(403, "", "Forbidden", .credentialsRefused),
    Case(400, "", "BadRequest", .credentialsRefused),
    Case(404, "", "NotFound", .missing),
    Case(200, "<html>Log in to the network</html>", .unexpectedAnswer, .transient),
    Case(413, "<html>too large</html>", .unexpectedAnswer, .transient),
    Case(400, #"{"__type": 7}"#, "BadRequest", .credentialsRefused),
    Case(500, #"{"__type":"#, .unexpectedAnswer, .transient),
    Case(500, "<Error><Code>", .unexpectedAnswer, .transient),
    Case(500, xml("</Code><Code>"), .unexpectedAnswer, .transient),
  ]

  static let now = 784_111_777
  static let date = "Sun, 06 Nov 1994 08:49:37 GMT"
  let classifier = AWSErrorClassifier(operation: "Test", signedAt: now, now: now)

  @Test(arguments: cases)
  func `each answer gets its code and kind`(tested: Case) {
    let error = classifier.error(tested.response)
    #expect(error.code == tested.code)
    #expect(error.kind == tested.kind)
    #expect(error.status == tested.response.status)
    #expect(error.isRetriable == (tested.kind != .permanent))
  }

  @Test(arguments: [
    (0, AWSError.Kind.credentialsRefused), (-200, .credentialsRefused), (1_800, .clockSkewed),
    (-1_800, .clockSkewed),
  ])
  func `a refusal by a server whose clock differs is a matter of the clock`(
    offset: Int, kind: AWSError.Kind
  ) {
    let classifier = AWSErrorClassifier(operation: "Test", signedAt: Self.now + offset, now: Self.now)
    for body in ["", Self.xml("SignatureDoesNotMatch"), Self.json("InvalidSignatureException")] {
      let response = HTTPResponse.answer(403, ["Date": Self.date, "x-amz-request-id": "1"], body)
      #expect(classifier.error(response).kind == kind)
      #expect(classifier.error(response).date == Self.now)
    }
    // A page of somebody in between tells another clock.
    for body in ["", "<html><h1>403</h1></html>", #"{"error":"denied"}"#] {
      let page = classifier.error(HTTPResponse.answer(403, ["Date": Self.date], body))
      #expect(page.kind == .credentialsRefused && page.date == nil && !page.isFromService)
    }
  }

  @Test(arguments: [
    ("7", Duration.seconds(7)), ("0", .zero), ("Sun, 06 Nov 1994 08:50:07 GMT", .seconds(30)),
    ("Sun, 06 Nov 1994 08:00:00 GMT", .zero), ("-1", nil), ("+1", nil), ("1.5", nil), ("0x1", nil),
    ("١", nil), ("soon", nil), ("99999999999999999999", nil),
  ])
  func `Retry-After is read as seconds and as a date`(text: String, expected: Duration?) {
    for headers in [["Retry-After": text, "Date": Self.date], ["Retry-After": text]] {
      let response = HTTPResponse.answer(503, headers)
      #expect(classifier.error(response).retryAfter == expected)
    }
  }

  @Test(arguments: [
    HTTPResponse.answer(301, ["x-amz-bucket-region": "eu-central-1"]),
    HTTPResponse.answer(400, ["x-amz-bucket-region": "eu-central-1"]),
    HTTPResponse.answer(307, ["x-amz-bucket-region": "eu-central-1"], xml("TemporaryRedirect")),
    HTTPResponse.answer(
      301, [:],
      "<Error><Code>PermanentRedirect</Code><Message>x</Message><Region>eu-central-1</Region></Error>"),
    HTTPResponse.answer(
      400, [:],
      "<Error><Code>AuthorizationHeaderMalformed</Code><Message>x</Message><Region>eu-central-1</Region></Error>"
    ),
  ])
  func `a bucket of another region is told by that region's name`(response: HTTPResponse) {
    var classifier = classifier
    classifier.region = "eu-west-1"
    let error = classifier.error(response)
    #expect(error.code == .wrongRegion && error.kind == .missing)
    #expect(error.message.hasPrefix("the bucket is in eu-central-1, not in eu-west-1: set REGION"))
    classifier.region = "eu-central-1"
    #expect(classifier.error(response).code != .wrongRegion)
    classifier.region = nil
    #expect(classifier.error(response).code != .wrongRegion)
  }

  /// What the SDKs' standard mode tries again, all of it.
  @Test(arguments: [
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
    "TooManyRequestsException", "ProvisionedThroughputExceededException", "TransactionInProgressException",
    "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete", "EC2ThrottledException", "RequestTimeout", "RequestTimeoutException",
    "IDPCommunicationError", "InternalServerError", "InternalError",
  ])
  func `what the SDKs try again is tried again`(code: String) {
    for body in [Self.xml(code), Self.json(code), Self.json(Self.dynamo + code)] {
      #expect(classifier.error(.answer(400, [:], body)).isRetriable)
    }
  }

  @Test(arguments: [500, 502, 503, 504]) func `so is any of these statuses`(status: Int) {
    for body in ["", "<html></html>", Self.xml("Whatever"), Self.json("Whatever")] {
      #expect(classifier.error(.answer(status, [:], body)).kind == .transient)
    }
  }

  @Test func `message, request and time come from the answer`() {
    let headers = ["x-amz-request-id": "4442587FB7D0A2F9", "Date": Self.date]
    let body = Self.xml("NoSuchBucket", "a &lt;b&gt; &amp;amp; &#39;c&#39;")
    let error = classifier.error(HTTPResponse.answer(404, headers, body))
    #expect(error.message == "a <b> &amp; 'c'")
    #expect(error.requestID == "4442587FB7D0A2F9")
    #expect(error.date == Self.now)
    #expect(error.description == "Test: NoSuchBucket (HTTP 404): a <b> &amp; 'c' [request 4442587FB7D0A2F9]")
  }

  @Test func `what DynamoDB quotes of the request stays out of the message`() {
    let message =
      #"does not match.\n\nThe Canonical String for this request should have been\n'POST\nx-amz-security-token:hush"#
    let response = HTTPResponse.answer(
      400, [:], Self.json("InvalidSignatureException", message)
    )
    #expect(classifier.error(response).message == "does not match.")
    let long = HTTPResponse.answer(
      400, [:], Self.json("X", String(repeating: "é", count: 10_000))
    )
    #expect(classifier.error(long).message.count == 300)
  }
}
