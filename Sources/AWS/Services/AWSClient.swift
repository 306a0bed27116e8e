import Logging

/// What the service clients share: transport, credentials, region, endpoints and the server's clock.
public final class AWSClient: Sendable {
  public let region: String
  let transport: any HTTPTransport

  /// `clock` times the waits between attempts; `now` is the wall clock, epoch seconds UTC.
  public init(
    transport: any HTTPTransport, credentials: any CredentialProvider, region: String,
    endpoints: Endpoints = Endpoints(), clock: any Clock<Duration> = ContinuousClock(),
    now: @escaping @Sendable () -> Int = WallClock.now, logger: Logger = Logger(label: "aws")
  ) {
    self.region = region
    self.transport = transport
  }
}
