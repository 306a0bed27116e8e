import Foundation
import TestSupport
import Testing

@testable import AWS

/// The container's endpoint and the instance's metadata.
@Suite struct MetadataTests {
  private static let document = """
    {"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIA1","SecretAccessKey":"hush","Token":"t==",
    "Expiration":"1994-11-06T09:49:37Z","LastUpdated":"1994-11-06T08:00:00Z"}
    """

  private func failure(
    _ provider: some CredentialProvider, _ location: SourceLocation = #_sourceLocation
  ) async -> CredentialError? {
    await #expect(throws: CredentialError.self, sourceLocation: location) {
      _ = try await provider.credentials()
    }
  }

  // MARK: The container's endpoint

  private func container(
    _ environment: [String: String],
    _ answer: Result<HTTPResponse, TransportError> = .answer(200, [:], document)
  ) -> (ContainerCredentials, RoutedTransport) {
    let transport = RoutedTransport { _ in answer }
    return (ContainerCredentials(context: .testing(environment, transport)), transport)
  }

  private static let relative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
  private static let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
  private static let token = "AWS_CONTAINER_AUTHORIZATION_TOKEN"

  @Test func `a relative URI is asked of ECS, past any proxy`() async throws {
    let (provider, transport) = container([Self.relative: "/v2/x?id=7", Self.token: "Basic abc"])
    let keys = try await provider.credentials()
    #expect(keys.accessKeyID == "ASIA1" && keys.sessionToken == "t==" && keys.expiration == 784_115_377)
    let request = transport.requests[0]
    #expect(request.endpoint.description == "http://169.254.170.2")
    #expect(request.path == "/v2/x" && request.query == "id=7" && !request.usesProxy)
    #expect(request.headers["Authorization"] == "Basic abc")
  }

  @Test func `a token file goes before the variable and is read each time`() async throws {
    try await withTemporaryFolder { folder in
      let file = folder + "/token"
      let (provider, transport) = container([
        Self.full: "http://127.0.0.1:8080", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file,
        Self.token: "other",
      ])
      #expect(await failure(provider)?.code == .unavailable)
      for token in ["one", "two"] {
        try token.write(toFile: file, atomically: true, encoding: .utf8)
        _ = try await provider.credentials()
      }
      #expect(transport.requests.map { $0.headers["Authorization"] } == ["one", "two"])
      #expect(transport.requests[0].path == "/")
      try "a\r\nX-Evil: 1".write(toFile: file, atomically: true, encoding: .utf8)
      #expect(await failure(provider)?.code == .incomplete)
    }
  }

  @Test(arguments: [
    "http://169.254.170.2/x", "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1",
    "http://localhost/",
    "http://127.9.9.9:1/x", "http://[::1]:8/x", "https://anywhere.example/x?y=z",
  ])
  func `allowed hosts are asked`(url: String) async throws {
    let (provider, transport) = container([Self.full: url])
    _ = try await provider.credentials()
    let request = transport.requests[0]
    let query = request.query.isEmpty ? "" : "?" + request.query
    #expect("\(request.endpoint)\(request.path)\(query)" == url)
  }

  @Test(arguments: [
    "http://192.0.2.1/", "http://127.evil.example/", "http://127.0.0.1.evil.example/", "http://example.com/",
    "ftp://127.0.0.1/", "127.0.0.1", "http://user@127.0.0.1/",
  ])
  func `no other host gets the token`(url: String) async {
    let (provider, transport) = container([Self.full: url, Self.token: "hush"])
    let error = await failure(provider)
    #expect(error?.code == .incomplete && error?.description.contains("hush") == false)
    #expect(transport.requests.isEmpty)
  }

  @Test func `an endpoint that fails is unavailable, one that is not set is absent`() async {
    #expect(await failure(container([:]).0)?.code == .absent)
    #expect(await failure(container([Self.relative: "x"]).0)?.code == .incomplete)
    let answers: [Result<HTTPResponse, TransportError>] = [
      .lost, .answer(403), .answer(500), .answer(200, [:], "hush"), .answer(200, [:], "{}"),
      .answer(200, [:], #"{"AccessKeyId":"hush"}"#),
      .answer(200, [:], #"{"AccessKeyId":"a","SecretAccessKey":"hush","Expiration":"hush"}"#),
    ]
    for answer in answers {
      let error = await failure(container([Self.relative: "/x"], answer).0)
      #expect(error?.code == .unavailable || error?.code == .incomplete)
      #expect(error?.description.contains("hush") == false)
    }
  }

  // MARK: The instance's metadata

  private func instance(
    _ environment: [String: String] = [:],
    role: Result<HTTPResponse, TransportError> = .answer(200, [:], "my role\nother"),
    document: Result<HTTPResponse, TransportError> = .answer(200, [:], document)
  ) -> (InstanceMetadataCredentials, RoutedTransport) {
    let transport = RoutedTransport { request in
      if request.path == "/latest/api/token" {
        return request.method == .put && request.headers["X-aws-ec2-metadata-token-ttl-seconds"] == "21600"
          ? .answer(200, [:], "TOKEN==") : .answer(400)
      }
      guard request.headers["X-aws-ec2-metadata-token"] == "TOKEN==" else { return .answer(401) }
      return request.path.hasSuffix("/") ? role : document
    }
    return (InstanceMetadataCredentials(context: .testing(environment, transport)), transport)
  }

  @Test func `version 2 is asked for token, role and keys, past any proxy`() async throws {
    let (provider, transport) = instance()
    let keys = try await provider.credentials()
    #expect(keys.secretAccessKey == "hush" && keys.expiration == 784_115_377)
    #expect(keys.source == "EC2 instance metadata, role my role")
    #expect(
      transport.requests.map(\.path) == [
        "/latest/api/token", "/latest/meta-data/iam/security-credentials/",
        "/latest/meta-data/iam/security-credentials/my%20role",
      ])
    #expect(
      transport.requests.allSatisfy { !$0.usesProxy && $0.endpoint.description == "http://169.254.169.254" })
    #expect(transport.requests.allSatisfy { $0.timeout == .seconds(1) })
  }

  @Test(arguments: [
    (["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1338/"], "http://127.0.0.1:1338"),
    (["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"], "http://[fd00:ec2::254]"),
    (["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipv4"], "http://169.254.169.254"),
    (["AWS_EC2_METADATA_DISABLED": "false"], "http://169.254.169.254"),
  ])
  func `its place can be set`(environment: [String: String], endpoint: String) async throws {
    let (provider, transport) = instance(environment)
    _ = try await provider.credentials()
    #expect(transport.requests[0].endpoint.description == endpoint)
  }

  @Test func `it can be switched off, and a wrong place is told`() async {
    let (off, transport) = instance(["AWS_EC2_METADATA_DISABLED": "TRUE"])
    #expect(await failure(off)?.code == .absent)
    #expect(transport.requests.isEmpty)
    for name in ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] {
      #expect(await failure(instance([name: "moon"]).0)?.code == .incomplete)
    }
  }

  @Test func `no instance and no role are absent, trouble is trouble`() async {
    #expect(await failure(InstanceMetadataCredentials(context: .testing()))?.code == .absent)
    #expect(await failure(instance(role: .answer(404)).0)?.code == .absent)
    #expect(await failure(instance(role: .answer(200)).0)?.code == .absent)
    for trouble in [Result<HTTPResponse, TransportError>.lost, .answer(500), .answer(401)] {
      #expect(await failure(instance(role: trouble).0)?.code == .unavailable)
      #expect(await failure(instance(document: trouble).0)?.code == .unavailable)
    }
    #expect(await failure(instance(document: .answer(404)).0)?.code == .unavailable)
    let refused = await failure(
      instance(document: .answer(200, [:], #"{"Code":"AssumeRoleUnauthorizedAccess"}"#)).0)
    #expect(refused?.description.contains("AssumeRoleUnauthorizedAccess") == true)
    for status in [401, 500] {
      let transport = RoutedTransport { _ in .answer(status) }
      let provider = InstanceMetadataCredentials(context: .testing([:], transport))
      #expect(await failure(provider)?.code == .unavailable)
    }
  }

  @Test(.timeLimit(.minutes(3))) func `a service that never answers holds nobody up for long`() async throws {
    let server = try LoopbackServer { _ in .silence }
    defer { server.stop() }
    let transport = try CurlTransport()
    defer { transport.close() }
    let provider = InstanceMetadataCredentials(
      context: .testing(["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:\(server.port)"], transport))
    let error = await failure(provider)
    #expect(error?.code == .absent && error?.description.contains("timed out") == true)
  }
}
