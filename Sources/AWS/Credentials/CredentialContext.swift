/// What the places that credentials come from are reached with.
public struct CredentialContext: Sendable {
  /// As the process was given it; nothing else is read.
  public var environment: [String: String]
  public var transport: any HTTPTransport
  /// Where STS is asked.
  public var region: String
  public var endpoints: Endpoints
  public var clock: any Clock<Duration>
  /// The wall clock, epoch seconds UTC.
  public var now: @Sendable () -> Int

  public init(
    environment: [String: String], transport: any HTTPTransport, region: String, endpoints: Endpoints,
    clock: any Clock<Duration> = ContinuousClock(), now: @escaping @Sendable () -> Int = WallClock.now
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
