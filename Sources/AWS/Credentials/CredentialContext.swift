import Base

/// The surroundings in which credentials are looked for: environment, transport, region and endpoints.
package struct CredentialContext: Sendable {
  /// As the process was given it; nothing else is read.
  package var environment: [String: String]
  package var transport: any HTTPTransport
  /// The endpoints at which STS is asked.
  package var region: String
  package var endpoints: Endpoints
  package var clock: any Clock<Duration>
  /// The wall clock, epoch seconds UTC.
  package var now: @Sendable () -> Int

  package init(
    environment: [String: String], transport: any HTTPTransport, region: String, endpoints: Endpoints,
    clock: any Clock<Duration> = ContinuousClock(),
    now: @escaping @Sendable () -> Int = WallClock.epochSeconds
  ) {
    self.environment = environment
    self.transport = transport
    self.region = region
    self.endpoints = endpoints
    self.clock = clock
    self.now = now
  }

  /// A variable's value; nil when unset or empty.
  func variable(_ name: String) -> String? {
    environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  var files: ProfileFiles { ProfileFiles(environment: environment) }

  /// STS, asked with other credentials.
  func sts(_ base: any CredentialProvider) -> STSClient {
    STSClient(
      AWSClient(
        transport: transport, credentials: base, region: region, endpoints: endpoints, clock: clock, now: now)
    )
  }

  /// A session name for roles that were given none: letters, digits and a hyphen, as STS wants them.
  var sessionName: String { "tickwal-\(now())" }
}
