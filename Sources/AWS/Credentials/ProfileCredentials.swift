/// The keys of a profile in the shared credentials and config files, which are read anew each time.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
struct ProfileCredentials: CredentialProvider {
  /// The meaning of a profile that gives nothing.
  enum Demand {
    /// The next place of the chain is asked.
    case none
    /// It must be there, but may leave keys to the next place.
    case exists
    /// It must be there and give keys.
    case givesKeys
  }

  let profile: String
  let demand: Demand
  let context: CredentialContext

  func credentials() async throws -> Credentials {
    let source = "profile \(profile)"
    let files = context.files
    guard let settings = try files.settings(of: profile) else {
      let code: CredentialError.Code = demand == .none ? .absent : .unknownProfile
      throw CredentialError(code, "\(source) does not exist in \(files.description)")
    }
    let plan = try ProfilePlan(profile: profile, settings) { name throws(CredentialError) in
      try files.settings(of: name)
    }
    guard let plan else {
      throw CredentialError(demand == .givesKeys ? .incomplete : .absent, "\(source) has no keys")
    }
    return try await provider(plan, source).credentials()
  }

  private func provider(_ plan: ProfilePlan, _ source: String) -> any CredentialProvider {
    switch plan {
    case .keys(let keys): CredentialChain.fixed(keys)
    case .process(let command):
      ProcessCredentials(command: command, environment: context.environment, source: source)
    case .webIdentity(let role, let file):
      WebIdentityCredentials(role: role, tokenFile: file, context: context, source: source)
    case .role(let role, let base):
      RoleCredentials(role: role, base: provider(base, source), context: context, source: source)
    case .roleFrom(let role, let place):
      RoleCredentials(role: role, base: provider(place), context: context, source: source)
    }
  }

  private func provider(_ place: ProfilePlan.Source) -> any CredentialProvider {
    switch place {
    case .environment: EnvironmentCredentials(environment: context.environment)
    case .instanceMetadata: InstanceMetadataCredentials(context: context)
    case .container: ContainerCredentials(context: context)
    }
  }
}
