/// The services that are called; the raw value is the name that a signature carries.
public enum Service: String, Sendable, CaseIterable {
  case s3
  case dynamodb
  case secretsManager = "secretsmanager"
  case sts
}

/// Where each service is reached: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, or the region's own.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
public struct Endpoints: Sendable, Equatable {
  private var custom: [Service: Endpoint]

  /// All at the region's own endpoints.
  public init() {
    custom = [:]
  }

  /// Throws `EndpointError` naming the variable that is no `http(s)://` URL.
  public init(environment: [String: String]) throws(EndpointError) {
    custom = [:]
  }

  /// The endpoint set by the environment; nil for the region's own.
  public func configured(_ service: Service) -> Endpoint? {
    custom[service]
  }
}

/// An endpoint variable that is no URL.
public struct EndpointError: Error, Sendable, Equatable, CustomStringConvertible {
  public var variable: String
  public var value: String

  public var description: String {
    "\(variable)=\(value): not an http:// or https:// URL of a host, with an optional port and path"
  }
}
