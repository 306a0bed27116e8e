/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
public struct EnvironmentCredentials: CredentialProvider {
  private let environment: [String: String]

  public init(environment: [String: String]) {
    self.environment = environment
  }

  public func credentials() async throws -> Credentials {
    throw CredentialError(.absent, "to come")
  }
}
