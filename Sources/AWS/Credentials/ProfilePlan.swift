import Base

/// The way to a profile's keys, as its settings say.
///
/// Pure: files, environment and services are somebody else's.
indirect enum ProfilePlan: Equatable {
  /// The sources that `credential_source` may name.
  enum Source: String, CaseIterable {
    case environment = "Environment"
    case instanceMetadata = "Ec2InstanceMetadata"
    case container = "EcsContainer"
  }

  case keys(Credentials)
  case process(command: String)
  case webIdentity(AssumedRole, tokenFile: String)
  case role(AssumedRole, with: ProfilePlan)
  case roleFrom(AssumedRole, Source)

  /// The plan of a profile with these settings; nil when they say nothing about keys. `settings` gives another
  /// profile's, nil for one that does not exist.
  ///
  /// Throws `CredentialError`: `incomplete` for settings that do not fit together, for a loop and for profiles
  /// that sign in through a browser.
  ///
  /// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
  init?(
    profile: String, _ own: [String: String],
    settings: (String) throws(CredentialError) -> [String: String]?
  ) throws(CredentialError) {
    guard let plan = try Self.make(profile, own, after: [], settings) else { return nil }
    self = plan
  }

  private static func make(
    _ profile: String, _ own: [String: String], after visited: [String],
    _ settings: (String) throws(CredentialError) -> [String: String]?
  ) throws(CredentialError) -> ProfilePlan? {
    // A profile that others take keys from gives its static ones, even if it has a role, too; asked for by itself
    // it gives its role's.
    if !visited.isEmpty, let keys = try staticKeys(profile, own) { return .keys(keys) }
    if visited.contains(profile) {
      throw CredentialError(
        .incomplete,
        "the source_profile settings go round in a circle: "
          + (visited + [profile]).joined(separator: ", "))
    }
    if let arn = own["role_arn"] {
      return try role(profile, own, try assumedRole(profile, arn, own), after: visited + [profile], settings)
    }
    if let keys = try staticKeys(profile, own) { return .keys(keys) }
    if let command = own["credential_process"] { return .process(command: command) }
    for name in ["sso_session", "sso_start_url", "sso_account_id", "login_session"] where own[name] != nil {
      throw CredentialError(
        .incomplete,
        "profile \(profile) signs in through a browser (\(name)), which is not supported; make a profile with "
          + "credential_process = aws configure export-credentials --profile \(profile) and name that one")
    }
    return nil
  }

  private static func role(
    _ profile: String, _ own: [String: String], _ role: AssumedRole, after visited: [String],
    _ settings: (String) throws(CredentialError) -> [String: String]?
  ) throws(CredentialError) -> ProfilePlan {
    if own["mfa_serial"] != nil {
      throw CredentialError(
        .incomplete,
        "profile \(profile) has mfa_serial: a program that runs by itself has no one-time passwords")
    }
    switch (own["source_profile"], own["credential_source"], own["web_identity_token_file"]) {
    case (let name?, nil, nil):
      guard let other = try settings(name) else {
        throw CredentialError(
          .incomplete, "profile \(profile) has source_profile \(name), which does not exist")
      }
      guard let base = try make(name, other, after: visited, settings) else {
        throw CredentialError(.incomplete, "profile \(profile) has source_profile \(name), which has no keys")
      }
      return .role(role, with: base)
    case (nil, let name?, nil):
      guard let source = Source(rawValue: name) else {
        let known = Source.allCases.map(\.rawValue).joined(separator: ", ")
        throw CredentialError(
          .incomplete, "profile \(profile) has credential_source \(name), which is none of \(known)")
      }
      return .roleFrom(role, source)
    case (nil, nil, let file?): return .webIdentity(role, tokenFile: file)
    case (nil, nil, nil):
      throw CredentialError(
        .incomplete,
        "profile \(profile) has role_arn but neither source_profile, credential_source nor "
          + "web_identity_token_file")
    default:
      throw CredentialError(
        .incomplete,
        "profile \(profile) has more than one of source_profile, credential_source and "
          + "web_identity_token_file")
    }
  }

  private static func assumedRole(
    _ profile: String, _ arn: String, _ own: [String: String]
  ) throws(CredentialError) -> AssumedRole {
    var role = AssumedRole(
      arn: arn, externalID: own["external_id"], sessionName: own["role_session_name"])
    if let text = own["duration_seconds"] {
      guard let seconds = DecimalDigits.parse(text, upTo: 43_200), seconds >= 900 else {
        throw CredentialError(
          .incomplete, "profile \(profile) has a duration_seconds that is no whole number from 900 to 43200")
      }
      role.duration = seconds
    }
    return role
  }

  private static func staticKeys(
    _ profile: String, _ own: [String: String]
  ) throws(CredentialError) -> Credentials? {
    try Credentials(
      accessKeyID: own["aws_access_key_id"], secretAccessKey: own["aws_secret_access_key"],
      sessionToken: own["aws_session_token"], source: "profile \(profile)")
  }
}
