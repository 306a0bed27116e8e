/// Providers asked in order; the first that does not answer `absent` decides.
public struct CredentialChain: CredentialProvider {
  private let providers: [any CredentialProvider]

  public init(_ providers: [any CredentialProvider]) {
    self.providers = providers
  }

  /// The chain of the command line and the SDKs, or one profile alone.
  ///
  /// With `profile` (`PIPELINE_IAM_USER`) only that profile is asked, and keys in the environment are ignored.
  /// Else: the environment's keys, then `AWS_PROFILE` or `default` from the shared files.
  public static func standard(
    profile: String?, environment: [String: String]
  ) -> any CredentialProvider {
    let files = ProfileFiles(environment: environment)
    if let profile, !profile.isEmpty {
      return ProfileCredentials(profile: profile, isExplicit: true, files: files)
    }
    let named = environment["AWS_PROFILE"].flatMap { $0.isEmpty ? nil : $0 }
    return CredentialChain([
      EnvironmentCredentials(environment: environment),
      ProfileCredentials(profile: named ?? "default", isExplicit: named != nil, files: files),
    ])
  }

  public func credentials() async throws -> Credentials {
    var reasons: [String] = []
    for provider in providers {
      do {
        return try await provider.credentials()
      } catch let error as CredentialError where error.code == .absent {
        reasons.append(error.description)
      }
    }
    throw CredentialError(.absent, "no credentials found: \(reasons.joined(separator: "; "))")
  }
}
