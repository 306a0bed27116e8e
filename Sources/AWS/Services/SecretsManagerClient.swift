/// AWS Secrets Manager, as far as it is needed here.
///
/// Reference: https://docs.aws.amazon.com/secretsmanager/latest/apireference/
package struct SecretsManagerClient: Sendable {
  private let getSecretValue: JSONService
  private let region: String

  package init(_ client: AWSClient) {
    region = client.region
    getSecretValue = JSONService(
      client, .secretsManager, operation: "GetSecretValue", target: "secretsmanager",
      contentType: "application/x-amz-json-1.1",
      signingKeys: SigningKeyCache(region: client.region, service: Service.secretsManager.rawValue))
  }

  /// The current version of a secret, by name or ARN. A secret that holds bytes instead of text is an error.
  ///
  /// Throws `AWSError` (`Code.resourceNotFound` for one that is not there), or `CancellationError`.
  package func getSecretValue(_ id: String, retry: Retry = .never) async throws -> SecretString {
    struct Output: Decodable {
      var secretString: String
    }
    let (output, _) = try await getSecretValue.call(
      ["SecretId": id], on: .secret(id, region: region), retry: retry, as: Output.self)
    return SecretString(output.secretString)
  }
}

/// A text that no description, dump or interpolation shows.
package struct SecretString: Sendable, Equatable {
  /// The text itself.
  package var exposed: String

  package init(_ text: String) { exposed = text }
}

extension SecretString: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String { "<secret>" }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: [:]) }
}
