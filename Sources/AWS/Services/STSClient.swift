import Base

/// AWS Security Token Service, as far as it is needed here.
///
/// Every call throws `AWSError`, or `CancellationError`.
///
/// Reference: https://docs.aws.amazon.com/STS/latest/APIReference/
package struct STSClient: Sendable {
  private let getCallerIdentity: QueryService
  private let assumeRole: QueryService
  private let assumeRoleWithWebIdentity: QueryService

  /// Keys come by providers that others wait for, and those are asked again.
  /// A clock that is off takes two of them.
  private static let fewAttempts = Retry(maximumAttempts: 4)

  package init(_ client: AWSClient) {
    let keys = SigningKeyCache(region: client.region, service: Service.sts.rawValue)
    getCallerIdentity = QueryService(client, .sts, "GetCallerIdentity", "2011-06-15", signingKeys: keys)
    assumeRole = QueryService(client, .sts, "AssumeRole", "2011-06-15", signingKeys: keys)
    assumeRoleWithWebIdentity = QueryService(client, .sts, "AssumeRoleWithWebIdentity", "2011-06-15")
  }

  /// The identity that the keys belong to. Needs no right.
  package func callerIdentity(retry: Retry = .never) async throws -> CallerIdentity {
    let answer = try await getCallerIdentity.call([], retry: retry)
    return CallerIdentity(
      account: try answer.text("Account"), arn: try answer.text("Arn"), userID: try answer.text("UserId"),
      answer: answer.response.answer)
  }

  func assumeRole(_ role: AssumedRole, source: String) async throws -> Credentials {
    try await credentials(assumeRole, role, [], source)
  }

  func assumeRole(
    _ role: AssumedRole, webIdentityToken token: String, source: String
  ) async throws -> Credentials {
    try await credentials(assumeRoleWithWebIdentity, role, [("WebIdentityToken", token)], source)
  }

  private func credentials(
    _ service: QueryService, _ role: AssumedRole, _ more: [(String, String)], _ source: String
  ) async throws -> Credentials {
    var fields = [("RoleArn", role.arn), ("RoleSessionName", role.sessionName ?? "tickwal")] + more
    if let id = role.externalID { fields.append(("ExternalId", id)) }
    if let seconds = role.duration { fields.append(("DurationSeconds", String(seconds))) }
    let answer = try await service.call(fields, retry: Self.fewAttempts)
    guard let expiration = RFC3339.epochSeconds(try answer.text("Expiration")) else {
      throw answer.lacks("Expiration")
    }
    var keys = Credentials(
      accessKeyID: try answer.text("AccessKeyId"), secretAccessKey: try answer.text("SecretAccessKey"),
      sessionToken: try answer.text("SessionToken"), expiration: expiration, source: source)
    keys.issuedAt = answer.response.date
    return keys
  }
}

/// The identity behind the keys that asked, as STS says.
package struct CallerIdentity: Sendable, Equatable {
  package var account: String
  package var arn: String
  package var userID: String
  package var answer: Answer
}
