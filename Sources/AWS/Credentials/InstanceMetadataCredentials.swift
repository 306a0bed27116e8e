import Base

/// Keys of the role that an EC2 instance has, by version 2 of its metadata service and no other.
///
/// Reference: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html,
/// https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html
struct InstanceMetadataCredentials: CredentialProvider {
  private static let source = "EC2 instance metadata"
  private static let roles = "/latest/meta-data/iam/security-credentials/"
  /// The service is on the same host and answers in milliseconds; elsewhere nothing answers at all.
  private static let timeout = Duration.seconds(1)

  let context: CredentialContext

  func credentials() async throws -> Credentials {
    if context.variable("AWS_EC2_METADATA_DISABLED")?.lowercased() == "true" {
      throw CredentialError(.absent, "EC2 instance metadata is switched off (AWS_EC2_METADATA_DISABLED)")
    }
    let endpoint = try endpoint()
    let token = try await token(endpoint)
    let list = try await get(endpoint, Self.roles, token)
    guard let role = list.map({ Self.firstLine($0.body) }), !role.isEmpty else {
      throw CredentialError(.absent, "this EC2 instance has no role")
    }
    guard let answer = try await get(endpoint, Self.roles + PercentEncoding.path(role), token) else {
      throw CredentialError(.unavailable, "\(Self.source) names the role \(role) but has no keys of it")
    }
    let source = "\(Self.source), role \(role)"
    let document = try CredentialDocument(answer.body, source: source)
    if let code = document.code, code != "Success" {
      throw CredentialError(.unavailable, "\(source): \(Self.firstLine(Array(code.utf8)))")
    }
    return try document.credentials(source: source, issuedAt: answer.date)
  }

  private func endpoint() throws(CredentialError) -> Endpoint {
    if let url = context.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT") {
      guard let endpoint = Endpoint(url) else {
        throw CredentialError(.incomplete, "AWS_EC2_METADATA_SERVICE_ENDPOINT is no http:// or https:// URL")
      }
      return endpoint
    }
    switch context.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")?.lowercased() {
    case nil, "ipv4": return Endpoint(scheme: .http, host: "169.254.169.254")
    case "ipv6": return Endpoint(scheme: .http, host: "[fd00:ec2::254]")
    default:
      throw CredentialError(.incomplete, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is neither IPv4 nor IPv6")
    }
  }

  private func token(_ endpoint: Endpoint) async throws -> String {
    let response: HTTPResponse
    do {
      response = try await send(
        .put, endpoint, "/latest/api/token", ["X-aws-ec2-metadata-token-ttl-seconds": "21600"])
    } catch let error as TransportError {
      // Not on EC2, most likely; on EC2 the next attempt to sign asks again.
      throw CredentialError(.absent, "\(Self.source): \(error)")
    }
    let token = String(decoding: response.body, as: UTF8.self)
    guard response.status == 200, !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      let code: CredentialError.Code =
        response.status == 404 || response.status == 403 ? .absent : .unavailable
      throw CredentialError(code, "\(Self.source) gave no token (status \(response.status))")
    }
    return token
  }

  /// nil for 404.
  private func get(_ endpoint: Endpoint, _ path: String, _ token: String) async throws -> HTTPResponse? {
    let response: HTTPResponse
    do {
      response = try await send(.get, endpoint, path, ["X-aws-ec2-metadata-token": token])
    } catch let error as TransportError {
      throw CredentialError(.unavailable, "\(Self.source): \(error)")
    }
    if response.status == 404 { return nil }
    guard response.status == 200 else {
      throw CredentialError(.unavailable, "\(Self.source) answered with status \(response.status)")
    }
    return response
  }

  private func send(
    _ method: HTTPRequest.Method, _ endpoint: Endpoint, _ path: String, _ headers: HTTPHeaders
  ) async throws -> HTTPResponse {
    try await context.transport.send(
      HTTPRequest(
        method, endpoint, path: path, headers: headers, maximumResponseBytes: 64 << 10, timeout: Self.timeout,
        usesProxy: false))
  }

  private static func firstLine(_ bytes: [UInt8]) -> String {
    let line = bytes.prefix { $0 != 10 && $0 != 13 }.filter { $0 >= 0x20 && $0 != 0x7f }
    return String(decoding: line.prefix(128), as: UTF8.self)
  }
}
