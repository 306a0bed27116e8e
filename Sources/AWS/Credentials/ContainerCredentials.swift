import Base

/// Keys from the endpoint that ECS and EKS Pod Identity put beside a container.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
struct ContainerCredentials: CredentialProvider {
  private static let source = "the container endpoint"
  private static let host = "169.254.170.2"
  /// Plain HTTP goes to these, and to this machine itself, alone: the token must not travel further.
  private static let allowedHosts: Set<String> = [
    host, "169.254.170.23", "[fd00:ec2::23]", "localhost", "[::1]",
  ]
  private static let timeout = Duration.seconds(2)

  let context: CredentialContext

  func credentials() async throws -> Credentials {
    guard let place = try place() else {
      throw CredentialError(.absent, "no container endpoint in the environment")
    }
    var headers: HTTPHeaders = ["Accept": "application/json"]
    if let token = try authorization() { headers.add("Authorization", token) }
    let request = HTTPRequest(
      .get, place.endpoint, path: place.path, query: place.query, headers: headers,
      maximumResponseBytes: 64 << 10, timeout: Self.timeout, usesProxy: place.endpoint.scheme == .https)
    let response: HTTPResponse
    do {
      response = try await context.transport.send(request)
    } catch let error as TransportError {
      throw CredentialError(.unavailable, "\(Self.source): \(error)")
    }
    guard response.status == 200 else {
      throw CredentialError(
        .unavailable, "\(Self.source) \(place.endpoint) answered with status \(response.status)")
    }
    return try CredentialDocument(response.body, source: Self.source).credentials(
      source: Self.source, issuedAt: response.date)
  }

  private func place() throws(CredentialError) -> (endpoint: Endpoint, path: String, query: String)? {
    if let path = context.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
      guard path.first == "/" else {
        throw CredentialError(.incomplete, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /")
      }
      let halves = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
      let query = halves.count > 1 ? String(halves[1]) : ""
      return (Endpoint(scheme: .http, host: Self.host), String(halves[0]), query)
    }
    guard let url = context.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") else { return nil }
    guard let parts = try? URLText(url, schemes: ["http", "https"]), let endpoint = Endpoint(serverOf: parts)
    else {
      throw CredentialError(.incomplete, "AWS_CONTAINER_CREDENTIALS_FULL_URI is no http:// or https:// URL")
    }
    guard
      endpoint.scheme == .https || Self.allowedHosts.contains(endpoint.host) || Self.isLoopback(endpoint.host)
    else {
      throw CredentialError(
        .incomplete,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI names \(endpoint.host): over http:// only this machine, "
          + "169.254.170.2, 169.254.170.23 and fd00:ec2::23 are allowed")
    }
    return (endpoint, parts.path.isEmpty ? "/" : parts.path, parts.query ?? "")
  }

  /// 127.0.0.0/8, written as four numbers: `127.evil.example` is a name.
  private static func isLoopback(_ host: String) -> Bool {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127"
      && parts.allSatisfy { DecimalDigits.parse($0, upTo: 255) != nil }
  }

  /// The file goes before the variable, and is read each time: its content is replaced while it is mounted.
  private func authorization() throws(CredentialError) -> String? {
    guard let path = context.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") else {
      return try Self.checked(
        context.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"), "AWS_CONTAINER_AUTHORIZATION_TOKEN")
    }
    guard let bytes = try SmallFile.read(path) else {
      throw CredentialError(
        .unavailable, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names \(path), which is not there")
    }
    return try Self.checked(String(decoding: bytes, as: UTF8.self), path)
  }

  private static func checked(_ token: String?, _ place: String) throws(CredentialError) -> String? {
    guard let token else { return nil }
    guard token.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
      throw CredentialError(.incomplete, "the token in \(place) has a character that no header may carry")
    }
    return token
  }
}
