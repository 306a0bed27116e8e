/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
public struct EnvironmentCredentials: CredentialProvider {
  private let environment: [String: String]

  public init(environment: [String: String]) {
    self.environment = environment.filter { !$0.value.isEmpty }
  }

  public func credentials() async throws -> Credentials {
    let found = try Credentials(
      accessKeyID: environment["AWS_ACCESS_KEY_ID"], secretAccessKey: environment["AWS_SECRET_ACCESS_KEY"],
      sessionToken: environment["AWS_SESSION_TOKEN"], source: "the environment")
    guard let found else { throw CredentialError(.absent, "no keys in the environment") }
    return found
  }
}
