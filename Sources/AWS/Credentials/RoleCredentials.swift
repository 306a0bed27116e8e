/// A role to assume, and how.
struct AssumedRole: Sendable, Equatable {
  var arn: String
  var externalID: String?
  /// nil: a name of this program's.
  var sessionName: String?
  /// Seconds that the keys shall last; nil: as STS says, an hour.
  var duration: Int?
}

/// Keys of a role, had from STS with other keys.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
struct RoleCredentials: CredentialProvider {
  let role: AssumedRole
  let base: any CredentialProvider
  let context: CredentialContext
  let source: String

  func credentials() async throws -> Credentials {
    var role = role
    role.sessionName = role.sessionName ?? context.sessionName
    do {
      return try await context.sts(base).assumeRole(role, source: source)
    } catch let error as AWSError {
      throw CredentialError(.unavailable, "\(source): \(role.arn) cannot be assumed: \(error)")
    }
  }
}

/// Keys of a role, had from STS for a token that somebody else issued, as Kubernetes does.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html, web identity
struct WebIdentityCredentials: CredentialProvider {
  let role: AssumedRole
  /// Read each time: the token is replaced while the program runs.
  let tokenFile: String
  let context: CredentialContext
  let source: String

  /// By `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN` and `AWS_ROLE_SESSION_NAME`; nil without the first two.
  ///
  /// Throws `CredentialError.Code.incomplete` for one without the other.
  static func fromEnvironment(_ context: CredentialContext) throws(CredentialError) -> WebIdentityCredentials?
  {
    switch (context.variable("AWS_WEB_IDENTITY_TOKEN_FILE"), context.variable("AWS_ROLE_ARN")) {
    case (nil, _): return nil
    case (_?, nil):
      throw CredentialError(.incomplete, "AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN is not")
    case (let file?, let arn?):
      let role = AssumedRole(arn: arn, sessionName: context.variable("AWS_ROLE_SESSION_NAME"))
      return WebIdentityCredentials(
        role: role, tokenFile: file, context: context, source: "web identity of the environment")
    }
  }

  func credentials() async throws -> Credentials {
    guard let bytes = try SmallFile.read(tokenFile) else {
      throw CredentialError(.unavailable, "\(source): the token file \(tokenFile) is not there")
    }
    var token = String(decoding: bytes, as: UTF8.self)
    while token.last?.isWhitespace == true { token.removeLast() }
    guard !token.isEmpty else {
      throw CredentialError(.unavailable, "\(source): the token file \(tokenFile) is empty")
    }
    var role = role
    role.sessionName = role.sessionName ?? context.sessionName
    do {
      // Not signed: the token speaks for itself.
      return try await context.sts(CredentialChain([])).assumeRole(
        role, webIdentityToken: token, source: source)
    } catch let error as AWSError {
      throw CredentialError(
        .unavailable,
        "\(source): \(role.arn) cannot be assumed: \(Redaction.redacted("\(error)", [token]))")
    }
  }
}

/// `WebIdentityCredentials.fromEnvironment` as a link of a chain.
struct EnvironmentWebIdentity: CredentialProvider {
  let context: CredentialContext

  func credentials() async throws -> Credentials {
    guard let provider = try WebIdentityCredentials.fromEnvironment(context) else {
      throw CredentialError(.absent, "no web identity in the environment")
    }
    return try await provider.credentials()
  }
}
