/// A profile with static keys in the shared credentials and config files, read anew each time.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
public struct ProfileCredentials: CredentialProvider {
  /// Settings of profiles that get their keys elsewhere.
  private static let otherKinds = [
    "role_arn", "credential_process", "web_identity_token_file", "sso_session", "sso_start_url",
  ]

  private let profile: String
  private let isExplicit: Bool
  private let files: ProfileFiles

  /// With `isExplicit` a profile that does not exist is `unknownProfile` and one without keys `incomplete`; else
  /// both are `absent`.
  public init(profile: String, isExplicit: Bool, files: ProfileFiles) {
    self.profile = profile
    self.isExplicit = isExplicit
    self.files = files
  }

  public func credentials() async throws -> Credentials {
    let source = "profile \(profile)"
    guard let settings = try files.settings(of: profile) else {
      throw CredentialError(
        isExplicit ? .unknownProfile : .absent, "\(source) does not exist in \(files.description)")
    }
    let found = try Credentials(
      accessKeyID: settings["aws_access_key_id"], secretAccessKey: settings["aws_secret_access_key"],
      sessionToken: settings["aws_session_token"], source: source)
    if let found { return found }
    if let kind = Self.otherKinds.first(where: { settings[$0] != nil }) {
      throw CredentialError(
        .incomplete, "\(source) has no keys of its own but \(kind), which is not supported")
    }
    throw CredentialError(isExplicit ? .incomplete : .absent, "\(source) has no keys")
  }
}
