import Base
import Foundation
import TestSupport
import Testing

@testable import AWS

/// STS, as the providers use it.
@Suite struct RoleTests {
  private static func answering(_ answers: Result<HTTPResponse, TransportError>...) -> ScriptedTransport {
    answers.count == 1 ? ScriptedTransport(answers[0]) : ScriptedTransport(answers[0], answers[1])
  }

  private func role(
    _ transport: any HTTPTransport, _ role: AssumedRole = AssumedRole(arn: "arn:aws:iam::1:role/a b"),
    environment: [String: String] = [:]
  ) -> RoleCredentials {
    RoleCredentials(
      role: role, base: CredentialChain.fixed(CountingProvider.keys(1)),
      context: .testing(environment, transport), source: "profile p")
  }

  @Test func `a role's keys come signed for, with all that the profile says`() async throws {
    let transport = Self.answering(.answer(200, [:], STSAnswer.keys("AssumeRole")))
    var wanted = AssumedRole(arn: "arn:aws:iam::1:role/a b")
    wanted.externalID = "x+y"
    wanted.duration = 900
    let keys = try await role(transport, wanted).credentials()
    #expect(keys.accessKeyID == "ASIA1")
    #expect(keys.secretAccessKey == "role/secret+1")
    #expect(keys.sessionToken == "token-1==")
    #expect(keys.expiration == 784_115_377)
    #expect(keys.source == "profile p")
    let request = try #require(transport.requests.first)
    #expect(request.endpoint.description == "https://sts.eu-west-1.amazonaws.com")
    #expect(
      request.form == [
        "Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": "arn:aws:iam::1:role/a b",
        "RoleSessionName": "tickwal-784111777", "ExternalId": "x+y", "DurationSeconds": "900",
      ])
    #expect(request.headers["Authorization"]?.contains("Credential=AKID1/19941106/eu-west-1/sts/") == true)
  }

  @Test func `a refusal names the role, and is tried again`() async throws {
    let transport = Self.answering(.answer(403, [:], STSAnswer.error("AccessDenied", "not authorized")))
    let error = await #expect(throws: CredentialError.self) { _ = try await role(transport).credentials() }
    #expect(error?.code == .unavailable)
    #expect(error?.description.contains("arn:aws:iam::1:role/a b") == true)
    #expect(error?.description.contains("AccessDenied (HTTP 403): not authorized") == true)
    #expect(transport.requests.count == 4)
  }

  @Test(arguments: [
    "<html>hello</html>", "", "<AssumeRoleResponse>", STSAnswer.keys("AssumeRole", expiration: "soon"),
  ])
  func `an answer without keys is none`(body: String) async {
    let transport = Self.answering(.answer(200, [:], body))
    let error = await #expect(throws: CredentialError.self) { _ = try await role(transport).credentials() }
    #expect(error?.code == .unavailable)
  }

  @Test func `web identity sends the file's token, unsigned, as it is at the time`() async throws {
    try await withTemporaryFolder { folder in
      let file = folder + "/token"
      try "eyJ.hush.1\n".write(toFile: file, atomically: true, encoding: .utf8)
      let transport = Self.answering(.answer(200, [:], STSAnswer.keys("AssumeRoleWithWebIdentity")))
      let context = CredentialContext.testing(
        ["AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": "arn:r", "AWS_ROLE_SESSION_NAME": "pod"],
        transport)
      let provider = try #require(try WebIdentityCredentials.fromEnvironment(context))
      #expect(try await provider.credentials().accessKeyID == "ASIA1")
      try "eyJ.hush.2".write(toFile: file, atomically: true, encoding: .utf8)
      _ = try await provider.credentials()
      #expect(transport.requests.map { $0.form["WebIdentityToken"] } == ["eyJ.hush.1", "eyJ.hush.2"])
      #expect(transport.requests.map { $0.form["RoleSessionName"] } == ["pod", "pod"])
      #expect(transport.requests.allSatisfy { !$0.headers.contains("Authorization") })
    }
  }

  @Test func `a web identity that fails shows no token`() async throws {
    try await withTemporaryFolder { folder in
      let file = folder + "/token"
      let context = CredentialContext.testing(
        ["AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": "arn:r"],
        Self.answering(.answer(400, [:], STSAnswer.error("InvalidIdentityToken", "bad: eyJ.hush"))))
      let provider = try #require(try WebIdentityCredentials.fromEnvironment(context))
      for content in [nil, "", "eyJ.hush"] {
        try content?.write(toFile: file, atomically: true, encoding: .utf8)
        let error = await #expect(throws: CredentialError.self) { _ = try await provider.credentials() }
        #expect(error?.code == .unavailable)
        #expect(error?.description.contains("hush") == false)
      }
    }
  }

  @Test func `half a web identity is an error, none is none`() throws {
    #expect(try WebIdentityCredentials.fromEnvironment(.testing()) == nil)
    #expect(try WebIdentityCredentials.fromEnvironment(.testing(["AWS_ROLE_ARN": "a"])) == nil)
    #expect(throws: CredentialError.self) {
      _ = try WebIdentityCredentials.fromEnvironment(.testing(["AWS_WEB_IDENTITY_TOKEN_FILE": "/t"]))
    }
  }

  @Test func `the caller's identity is read`() async throws {
    let xml = """
      <GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::1:assumed-role/a&amp;b/c</Arn>
      <UserId>AROA:c</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>
      """
    let transport = Self.answering(.answer(200, ["x-amzn-RequestId": "R"], xml))
    let identity = try await CredentialContext.testing([:], transport)
      .sts(CredentialChain.fixed(CountingProvider.keys(1))).callerIdentity()
    #expect(identity.arn == "arn:aws:sts::1:assumed-role/a&b/c")
    #expect(identity.account == "123456789012")
    #expect(identity.answer.requestID == "R")
  }

  @Test(arguments: [
    ("2026-11-22T05:13:20Z", 1_795_324_400), ("2026-11-22T05:13:20.123Z", 1_795_324_400),
    ("2026-11-22T06:13:20+01:00", 1_795_324_400), ("2026-11-22T04:43:20-0030", 1_795_324_400),
    ("1970-01-01T00:00:00z", 0), ("2026-11-22T05:13:20", nil), ("2026-13-22T05:13:20Z", nil),
    ("2026-11-22T05:13:20.Z", nil), ("2026-11-22T05:13:20+1", nil), ("", nil),
    ("yesterday at five o'clock", nil),
  ])
  func `times of expiry are read`(text: String, seconds: Int?) {
    #expect(RFC3339.epochSeconds(text) == seconds)
  }
}

extension WebIdentityCredentials: Equatable {
  public static func == (left: WebIdentityCredentials, right: WebIdentityCredentials) -> Bool {
    left.role == right.role && left.tokenFile == right.tokenFile && left.source == right.source
  }
}
