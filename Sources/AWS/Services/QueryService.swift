import Base

/// Calls of a service that takes a form and answers in XML.
///
/// Reference: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
struct QueryService: Sendable {
  private static let timeout = Duration.seconds(5)

  private let client: AWSClient
  private let operation: Operation
  private let version: String
  private let template: HTTPRequest

  /// Without `signingKeys` nothing is signed.
  init(
    _ client: AWSClient, _ service: Service, _ operation: String, _ version: String,
    signingKeys: SigningKeyCache? = nil
  ) {
    self.client = client
    self.version = version
    self.operation = Operation(
      name: operation, service: service, signing: signingKeys.map { (SigV4Signer(path: .encoded), $0) })
    let endpoint = client.endpoints.endpoint(service, region: client.region)
    template = HTTPRequest(
      .post, endpoint,
      headers: [
        "Host": endpoint.authority, "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
      ], timeout: Self.timeout)
  }

  func call(_ fields: [(String, String)], retry: Retry) async throws -> QueryAnswer {
    var request = template
    for (name, value) in [("Action", operation.name), ("Version", version)] + fields {
      if !request.body.isEmpty { request.body.append(UInt8(ascii: "&")) }
      request.body.append(contentsOf: name.utf8)
      request.body.append(UInt8(ascii: "="))
      PercentEncoding.append(value.utf8, keepingSlashes: false, to: &request.body)
    }
    // A page that some proxy sends with status 200 must not count as the service's word.
    let element = Array("<\(operation.name)Response".utf8)
    let response = try await client.call(operation, request, retry: retry) {
      $0.status == 200 && $0.body.firstRange(of: element) != nil
    }
    return QueryAnswer(
      operation: operation.name, response: response, xml: String(decoding: response.body, as: UTF8.self))
  }
}

/// A successful answer in XML.
struct QueryAnswer {
  var operation: String
  var response: HTTPResponse
  var xml: String

  /// The text of the first element of that name; an answer without it is an error.
  func text(_ element: String) throws(AWSError) -> String {
    guard let text = XMLText.element(element, in: xml), !text.isEmpty else { throw lacks(element) }
    return text
  }

  func lacks(_ element: String) -> AWSError {
    AWSError(
      .unexpectedAnswer, .transient, operation: operation, status: response.status,
      message: "the answer lacks \(element)", requestID: response.answer.requestID)
  }
}
