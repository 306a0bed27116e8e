/// A profile with static keys in the shared credentials and config files, read anew each time.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
public struct ProfileCredentials: CredentialProvider {
  private let profile: String
  private let isExplicit: Bool
  private let files: ProfileFiles

  /// With `isExplicit` a profile that does not exist is `unknownProfile`, else `absent`.
  public init(profile: String, isExplicit: Bool, files: ProfileFiles) {
    self.profile = profile
    self.isExplicit = isExplicit
    self.files = files
  }

  public func credentials() async throws -> Credentials {
    throw CredentialError(.absent, "to come")
  }
}
