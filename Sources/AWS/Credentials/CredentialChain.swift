/// Providers asked in order; the first that does not answer `absent` decides.
public struct CredentialChain: CredentialProvider {
  public init(_ providers: [any CredentialProvider]) {
  }

  /// The chain of the command line and the SDKs, or one profile alone.
  ///
  /// With `profile` (`PIPELINE_IAM_USER`) only that profile is asked, and keys in the environment are ignored.
  /// Else: the environment's keys, then `AWS_PROFILE` or `default` from the shared files.
  public static func standard(
    profile: String?, environment: [String: String]
  ) -> any CredentialProvider {
    CredentialChain([])
  }

  public func credentials() async throws -> Credentials {
    throw CredentialError(.absent, "to come")
  }
}
