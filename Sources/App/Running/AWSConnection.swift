import AWS
import Logging
import Synchronization

/// The one transport and the one set of credentials of a process, made when they are needed first.
final class AWSConnection: Sendable {
  private struct Parts {
    let transport: CurlTransport
    let credentials: any CredentialProvider
    let client: AWSClient
  }

  private let settings: AWSSettings
  private let logger: Logger
  private let parts = Mutex<Parts?>(nil)

  init(_ settings: AWSSettings, logger: Logger) {
    self.settings = settings
    self.logger = logger
  }

  /// - Throws: `CommandFailure` (78) for a profile that does not exist; other trouble with credentials is
  ///   tried again when they are used.
  func client() async throws -> AWSClient {
    let made = try make()
    do {
      _ = try await made.credentials.credentials()
    } catch let error as CredentialError where error.code == .unknownProfile {
      throw CommandFailure(
        .badValue,
        "PIPELINE_IAM_USER is '\(Text.oneLine(settings.profile ?? ""))' but must be a profile that exists: \(error)"
      )
    } catch {
      logger.warning(
        "there are no credentials yet: deliveries wait until there are", metadata: ["error": "\(error)"])
    }
    return made.client
  }

  /// A client for S3 at another endpoint.
  func client(s3Endpoint: String) -> AWSClient? {
    guard let made = parts.withLock({ $0 }) else { return nil }
    var environment = settings.environment
    environment["AWS_ENDPOINT_URL_S3"] = s3Endpoint
    do {
      return AWSClient(
        transport: made.transport, credentials: made.credentials, region: settings.region,
        endpoints: try Endpoints(environment: environment), logger: logger)
    } catch {
      logger.error(
        "an older plan names an endpoint that cannot be used", metadata: ["error": "\(error)"])
      return nil
    }
  }

  func close() {
    parts.withLock { $0?.transport.close() }
  }

  private func make() throws -> Parts {
    try parts.withLock { parts in
      if let parts { return parts }
      let transport = try CurlTransport(TransportConfiguration(environment: settings.environment))
      let credentials = CredentialChain.standard(
        profile: settings.profile, environment: settings.environment)
      let client = AWSClient(
        transport: transport, credentials: credentials, region: settings.region,
        endpoints: try Endpoints(environment: settings.environment), logger: logger)
      let made = Parts(transport: transport, credentials: credentials, client: client)
      parts = made
      return made
    }
  }
}
