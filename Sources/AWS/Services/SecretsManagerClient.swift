/// AWS Secrets Manager, as far as it is needed here.
///
/// Reference: https://docs.aws.amazon.com/secretsmanager/latest/apireference/
public struct SecretsManagerClient: Sendable {
  private let client: AWSClient

  public init(_ client: AWSClient) {
    self.client = client
  }

  /// The current version of a secret, by name or ARN.
  ///
  /// Throws `AWSError` (`Code.resourceNotFound` for one that is not there), or `CancellationError`.
  public func getSecretValue(_ id: String, retry: Retry = .never) async throws -> SecretString {
    fatalError("to come")
  }
}

/// A text that no description, dump or interpolation shows.
public struct SecretString: Sendable, Equatable {
  /// The text itself.
  public var exposed: String

  public init(_ text: String) { exposed = text }
}

extension SecretString: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "<secret>" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
