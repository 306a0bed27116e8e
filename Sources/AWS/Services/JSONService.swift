import Base
import FoundationEssentials

/// Calls of a service that speaks JSON: a POST whose target header names the operation.
///
/// Reference: https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
struct JSONService: Sendable {
  /// Answers take milliseconds; one that is lost must not hold up those behind it for long.
  static let timeout = Duration.seconds(10)

  private let client: AWSClient
  private let operation: Operation
  private let template: HTTPRequest

  init(
    _ client: AWSClient, _ service: Service, operation: String, target: String, contentType: String,
    signingKeys: SigningKeyCache, maximumResponseBytes: Int = 1 << 20, timeout: Duration = JSONService.timeout
  ) {
    self.client = client
    self.operation = Operation(
      name: operation, service: service, signing: (SigV4Signer(path: .encoded), signingKeys))
    let endpoint = client.endpoints.endpoint(service, region: client.region)
    template = HTTPRequest(
      .post, endpoint,
      headers: [
        "Host": endpoint.authority, "Content-Type": contentType, "X-Amz-Target": "\(target).\(operation)",
      ], maximumResponseBytes: maximumResponseBytes, timeout: timeout)
  }

  /// Counts parts of a request that an answer refuses, and that are sent again, as a refusal of the whole is counted.
  func partlyRefused(_ kind: AWSError.Kind) { operation.metrics.partlyRefused(kind) }

  func call(_ body: [UInt8], on resource: AWSResource?, retry: Retry) async throws -> HTTPResponse {
    var request = template
    request.body = body
    return try await client.call(
      operation, request, on: resource, retry: retry, damage: Self.damage, accepting: Self.isAccepted)
  }

  /// One attempt without a task that waits for the answer; see ``AWSClient/submit(_:_:on:damage:accepting:_:)``.
  func submit(
    _ body: [UInt8], on resource: AWSResource?, isPatient: Bool, _ completion: @escaping AnswerCompletion
  ) -> CallOff? {
    var request = template
    request.body = body
    request.isPatient = isPatient
    return client.submit(
      operation, request, on: resource, damage: Self.damage, accepting: Self.isAccepted, completion)
  }

  /// A page that some proxy sends with status 200 must not count as the service's word.
  private static func isAccepted(_ response: HTTPResponse) -> Bool {
    response.status == 200 && response.body.first == UInt8(ascii: "{")
  }

  /// DynamoDB sends a checksum with each answer; one that lost it on the way must not be taken for an error, either.
  private static func damage(_ response: HTTPResponse) -> String? {
    guard let text = response.header("x-amz-crc32"),
      let expected = DecimalDigits.parse(text, upTo: Int(UInt32.max))
    else { return nil }
    var checksum = CRC32()
    response.body.withUnsafeBytes { checksum.update($0) }
    return expected == Int(checksum.value)
      ? nil : "the answer was damaged on the way: its x-amz-crc32 is another"
  }

  func call<Value: Decodable>(
    _ input: some Encodable, on resource: AWSResource, retry: Retry, as type: Value.Type
  ) async throws -> (Value, Answer) {
    let body: [UInt8]
    do {
      body = [UInt8](try JSONEncoder().encode(input))
    } catch {
      throw AWSError(.validation, .permanent, operation: operation.name, message: "cannot be written as JSON")
    }
    let response = try await call(body, on: resource, retry: retry)
    return (try read(response, on: resource), response.answer)
  }

  func read<Value: Decodable>(
    _ response: HTTPResponse, on resource: AWSResource?, as type: Value.Type = Value.self
  ) throws(AWSError) -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .custom { path in MemberName(path[path.count - 1]) }
    do {
      return try decoder.decode(Value.self, from: Data(response.body))
    } catch {
      // The decoder's own words may quote the answer, and with it a secret.
      var error = AWSError(
        .unexpectedAnswer, .permanent, operation: operation.name, status: response.status,
        message: "the answer lacks what it should hold", requestID: response.requestID)
      error.resource = resource
      throw error
    }
  }
}

/// A member of an answer under the name that it has here: `TableName` is `tableName`.
private struct MemberName: CodingKey {
  let stringValue: String
  let intValue: Int?

  init(_ key: any CodingKey) {
    stringValue = key.stringValue.prefix(1).lowercased() + key.stringValue.dropFirst()
    intValue = key.intValue
  }

  init?(stringValue: String) { self.init(stringValue: stringValue, intValue: nil) }
  init?(intValue: Int) { self.init(stringValue: "\(intValue)", intValue: intValue) }

  private init(stringValue: String, intValue: Int?) {
    self.stringValue = stringValue
    self.intValue = intValue
  }
}
