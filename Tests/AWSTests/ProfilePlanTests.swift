import Testing

@testable import AWS

@Suite struct ProfilePlanTests {
  private static let keys = ["aws_access_key_id": "AK", "aws_secret_access_key": "s"]

  private func plan(_ profiles: [String: [String: String]], _ name: String = "p") throws -> ProfilePlan? {
    try ProfilePlan(profile: name, profiles[name] ?? [:]) { name throws(CredentialError) in profiles[name] }
  }

  private func fixed(_ profile: String) -> ProfilePlan {
    .keys(Credentials(accessKeyID: "AK", secretAccessKey: "s", source: "profile \(profile)"))
  }

  @Test func `a role with a source takes that profile's keys`() throws {
    let found = try plan([
      "p": [
        "role_arn": "arn:r", "source_profile": "base", "external_id": "x", "role_session_name": "n",
        "duration_seconds": "900",
      ], "base": Self.keys,
    ])
    let role = AssumedRole(arn: "arn:r", externalID: "x", sessionName: "n", duration: 900)
    #expect(found == .role(role, with: fixed("base")))
  }

  @Test func `roles are chained through profiles`() throws {
    let found = try plan([
      "p": ["role_arn": "arn:1", "source_profile": "q"], "q": ["role_arn": "arn:2", "source_profile": "r"],
      "r": ["credential_process": "x"],
    ])
    #expect(
      found
        == .role(
          AssumedRole(arn: "arn:1"), with: .role(AssumedRole(arn: "arn:2"), with: .process(command: "x"))))
  }

  @Test func `a profile may be its own source when it has keys`() throws {
    let found = try plan(["p": Self.keys.merging(["role_arn": "arn:1", "source_profile": "p"]) { $1 }])
    #expect(found == .role(AssumedRole(arn: "arn:1"), with: fixed("p")))
  }

  @Test(arguments: ["Environment", "Ec2InstanceMetadata", "EcsContainer"])
  func `a role may take its keys from a place`(name: String) throws {
    let found = try plan(["p": ["role_arn": "arn:1", "credential_source": name]])
    #expect(found == .roleFrom(AssumedRole(arn: "arn:1"), try #require(ProfilePlan.Source(rawValue: name))))
  }

  @Test func `tokens, programs and nothing at all`() throws {
    #expect(
      try plan(["p": ["role_arn": "arn:1", "web_identity_token_file": "/t"]])
        == .webIdentity(AssumedRole(arn: "arn:1"), tokenFile: "/t"))
    #expect(try plan(["p": ["credential_process": "a b"]]) == .process(command: "a b"))
    #expect(try plan(["p": Self.keys.merging(["credential_process": "a"]) { $1 }]) == fixed("p"))
    #expect(try plan(["p": ["region": "x"]]) == nil)
  }

  static let refused: [(profiles: [String: [String: String]], words: String)] = [
    (["p": ["role_arn": "a", "source_profile": "p"]], "circle: p, p"),
    (
      ["p": ["role_arn": "a", "source_profile": "q"], "q": ["role_arn": "a", "source_profile": "p"]],
      "circle: p, q, p"
    ),
    (["p": ["role_arn": "a", "source_profile": "q"]], "source_profile q, which does not exist"),
    (
      ["p": ["role_arn": "a", "source_profile": "q"], "q": ["region": "x"]],
      "source_profile q, which has no keys"
    ),
    (["p": ["role_arn": "a"]], "neither source_profile"),
    (["p": ["role_arn": "a", "source_profile": "q", "credential_source": "Environment"]], "more than one"),
    (["p": ["role_arn": "a", "credential_source": "Moon"]], "none of Environment, Ec2InstanceMetadata"),
    (["p": ["role_arn": "a", "source_profile": "q", "mfa_serial": "m"]], "mfa_serial"),
    (["p": ["role_arn": "a", "source_profile": "q", "duration_seconds": "899"]], "duration_seconds"),
    (["p": ["role_arn": "a", "source_profile": "q", "duration_seconds": "1h"]], "duration_seconds"),
    (["p": ["sso_session": "s"]], "credential_process = aws configure export-credentials --profile p"),
    (["p": ["sso_start_url": "s"]], "aws configure export-credentials --profile p"),
    (
      ["p": ["role_arn": "a", "source_profile": "q"], "q": ["sso_session": "s"]],
      "export-credentials --profile q"
    ),
    (["p": ["aws_access_key_id": "AK"]], "no secret access key"),
  ]

  @Test(arguments: 0..<refused.count)
  func `settings that do not fit together are refused with the reason`(index: Int) {
    let error = #expect(throws: CredentialError.self) { _ = try plan(Self.refused[index].profiles) }
    #expect(error?.code == .incomplete)
    #expect(error?.description.contains(Self.refused[index].words) == true, "\(String(describing: error))")
  }
}
