import AWS
import Base
import Logging
import Shippers
import Synchronization

/// The one transport and the one set of credentials of a process, made when they are needed first.
final class AWSConnection: AWSAccess {
  private struct Parts {
    let transport: CurlTransport
    let client: AWSClient
  }

  private let settings: AWSSettings
  private let logger: Logger
  /// Whether ``client()`` looks for keys first: not where other work must not wait for them.
  private let looksForKeys: Bool
  private let connectionLimit: Int
  private let parts = Mutex<Parts?>(nil)
  /// Several ask for the client of one command, of which each would say the same.
  private let hasSaid = Mutex(false)

  /// - Parameter files: what the limit of open files leaves for connections.
  init(
    _ settings: AWSSettings, looksForKeys: Bool = true, files: OpenFileBudget = .withoutFeed, logger: Logger
  ) {
    connectionLimit = files.connections
    self.settings = settings
    self.logger = logger
    self.looksForKeys = looksForKeys
  }

  /// - Throws: `CommandFailure` (78) for a profile that does not exist; other trouble with credentials is
  ///   tried again when they are used.
  func client() async throws -> AWSClient {
    let made = try make()
    if looksForKeys { try await lookForKeys() }
    return made.client
  }

  /// Asks for keys, for as long as their source takes, and says if there are none.
  ///
  /// - Throws: `CommandFailure` (78) for a profile that does not exist; `CancellationError`.
  func lookForKeys() async throws {
    let made = try make()
    do {
      try await made.client.currentCredentials()
    } catch let error as CredentialError where error.code == .unknownProfile {
      let (variable, profile) =
        settings.profile.map { ("PIPELINE_IAM_USER", $0) }
        ?? ("AWS_PROFILE", settings.environment["AWS_PROFILE"] ?? "")
      throw CommandFailure(
        .badValue, "\(variable) is '\(Text.oneLine(profile))' but must be a profile that exists: \(error)")
    } catch let error as CancellationError {
      throw error
    } catch {
      let isKnown = hasSaid.withLock { said in
        defer { said = true }
        return said
      }
      if looksForKeys, isKnown { return }
      logger.error(
        "there are no credentials yet: AWS is not asked until there are",
        metadata: ["error": "\(error)", "hint": "put keys where they are looked for (docs/aws.md)"])
    }
  }

  /// A client for S3 at another endpoint.
  func client(s3Endpoint: String) -> AWSClient? {
    guard let made = parts.withLock({ $0 }) else { return nil }
    do {
      return made.client.reached(at: try made.client.endpoints.reachingS3(at: s3Endpoint))
    } catch {
      logger.error(
        "an older plan names an endpoint that cannot be used", metadata: ["error": "\(error)"])
      return nil
    }
  }

  /// The client, if it was needed by now.
  var madeClient: AWSClient? { parts.withLock { $0?.client } }

  func close() {
    parts.withLock { $0?.transport.close() }
  }

  /// The endpoints, and the PEM file of trusted roots if one is named: the profile's too. They are read once: another
  /// place is another destination.
  ///
  /// - Throws: `CommandFailure` (78) for a setting or a file that means nothing.
  private func reach() throws -> (endpoints: Endpoints, caBundle: String?) {
    let environment = settings.environment
    let named = environment["AWS_PROFILE"].flatMap { $0.isEmpty ? nil : $0 }
    let profile = settings.profile ?? named ?? "default"
    do {
      let configured = try ProfileEndpoints(profile: profile, files: ProfileFiles(environment: environment))
      let endpoints = try Endpoints(environment: environment, profile: configured)
      if !configured.isEmpty {
        logger.info(
          "the profile has endpoints",
          metadata: [
            "profile": "\(profile)", "s3": "\(endpoints.endpoint(.s3, region: settings.region))",
            "dynamodb": "\(endpoints.endpoint(.dynamodb, region: settings.region))",
            "kinesis": "\(endpoints.endpoint(.kinesis, region: settings.region))",
          ])
      }
      return (endpoints, try configured.caBundle.map(Self.readable))
    } catch let error as CredentialError {
      throw CommandFailure(.badValue, error.description)
    } catch let error as EndpointError {
      throw CommandFailure(.badValue, error.description)
    }
  }

  private static func readable(_ file: (name: String, value: String)) throws(CommandFailure) -> String {
    guard let problem = FileProblem.file(file.value) else { return file.value }
    throw CommandFailure(
      .badValue,
      "\(file.name) is '\(Text.oneLine(file.value))' but must be the path of a readable file: \(problem)")
  }

  private func make() throws -> Parts {
    try parts.withLock { parts in
      if let parts { return parts }
      var configuration = TransportConfiguration(environment: settings.environment)
      configuration.connectionLimit = connectionLimit
      let (endpoints, caBundle) = try reach()
      configuration.caBundle = configuration.caBundle ?? caBundle
      let transport = try CurlTransport(configuration)
      let context = CredentialContext(
        environment: settings.environment, transport: transport, region: settings.region,
        endpoints: endpoints)
      let client = AWSClient(
        transport: transport,
        credentials: CredentialChain.standard(profile: settings.profile, context: context),
        region: settings.region, endpoints: endpoints, objectEncryption: settings.objectEncryption,
        logger: logger)
      let made = Parts(transport: transport, client: client)
      parts = made
      return made
    }
  }
}
