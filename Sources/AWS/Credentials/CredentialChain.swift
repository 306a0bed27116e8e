/// Providers asked in order; the first that does not answer `absent` decides.
package struct CredentialChain: CredentialProvider {
  private let providers: [any CredentialProvider]

  package init(_ providers: [any CredentialProvider]) {
    self.providers = providers
  }

  /// The chain of the command line and the SDKs, or one profile alone.
  ///
  /// With `profile` (`PIPELINE_IAM_USER`) only that profile is asked, and keys in the environment are ignored.
  /// Else: the environment's keys; `AWS_PROFILE` or `default` from the shared files; web identity from the
  /// environment; the container's endpoint; the instance's metadata.
  ///
  /// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
  package static func standard(profile: String?, context: CredentialContext) -> any CredentialProvider {
    if let profile, !profile.isEmpty {
      return ProfileCredentials(profile: profile, demand: .givesKeys, context: context)
    }
    let named = context.variable("AWS_PROFILE")
    return CredentialChain([
      EnvironmentCredentials(environment: context.environment),
      ProfileCredentials(
        profile: named ?? "default", demand: named == nil ? .none : .exists, context: context),
      EnvironmentWebIdentity(context: context),
      ContainerCredentials(context: context),
      InstanceMetadataCredentials(context: context),
    ])
  }

  /// Keys that are known already.
  static func fixed(_ keys: Credentials) -> any CredentialProvider {
    struct Fixed: CredentialProvider {
      let keys: Credentials
      func credentials() async throws -> Credentials { keys }
    }
    return Fixed(keys: keys)
  }

  package func credentials() async throws -> Credentials {
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
