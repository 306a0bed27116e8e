/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
package struct EnvironmentCredentials: CredentialProvider {
  private let environment: [String: String]

  package init(environment: [String: String]) {
    self.environment = environment.filter { !$0.value.isEmpty }
  }

  package func credentials() async throws -> Credentials {
    let found = try Credentials(
      accessKeyID: environment["AWS_ACCESS_KEY_ID"], secretAccessKey: environment["AWS_SECRET_ACCESS_KEY"],
      sessionToken: environment["AWS_SESSION_TOKEN"], source: "the environment")
    guard let found else { throw CredentialError(.absent, "no keys in the environment") }
    return found
  }
}
