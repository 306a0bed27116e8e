/// The services that are called; the raw value is the name that a signature carries.
public enum Service: String, Sendable, CaseIterable {
  case s3
  case dynamodb
  case secretsManager = "secretsmanager"
  case sts

  var endpointVariable: String {
    switch self {
    case .s3: "AWS_ENDPOINT_URL_S3"
    case .dynamodb: "AWS_ENDPOINT_URL_DYNAMODB"
    case .secretsManager: "AWS_ENDPOINT_URL_SECRETS_MANAGER"
    case .sts: "AWS_ENDPOINT_URL_STS"
    }
  }
}

/// Where each service is reached: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, or the region's own.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
public struct Endpoints: Sendable, Equatable {
  private var custom: [Service: Endpoint] = [:]

  /// All at the region's own endpoints.
  public init() {}

  /// Throws `EndpointError` naming the variable that is no `http(s)://` URL.
  public init(environment: [String: String]) throws(EndpointError) {
    for service in Service.allCases {
      for variable in [service.endpointVariable, "AWS_ENDPOINT_URL"] {
        guard let value = environment[variable], !value.isEmpty else { continue }
        guard let endpoint = Endpoint(value) else { throw EndpointError(variable: variable, value: value) }
        custom[service] = endpoint
        break
      }
    }
  }

  /// The endpoint set by the environment; nil for the region's own.
  public func configured(_ service: Service) -> Endpoint? {
    custom[service]
  }

  /// Where the service is reached from the region.
  public func endpoint(_ service: Service, region: String) -> Endpoint {
    custom[service] ?? Endpoint(host: "\(service.rawValue).\(region).\(Self.suffix(region))")
  }

  /// Endpoint and path of an object: the bucket is part of the host's name where it may be, and where no endpoint
  /// is set; else it leads the path.
  ///
  /// Reference: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
  func object(bucket: String, key: String, region: String) -> (endpoint: Endpoint, path: String) {
    var endpoint = endpoint(.s3, region: region)
    let path = "/" + PercentEncoding.path(key)
    if custom[.s3] == nil, Self.mayBeHostLabel(bucket) {
      endpoint.host = "\(bucket).\(endpoint.host)"
      return (endpoint, path)
    }
    return (endpoint, "/" + PercentEncoding.path(bucket) + path)
  }

  /// A dot would need a certificate of its own.
  private static func mayBeHostLabel(_ bucket: String) -> Bool {
    func isAlphanumeric(_ byte: UInt8) -> Bool {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
    let bytes = Array(bucket.utf8)
    guard (3...63).contains(bytes.count), let first = bytes.first, let last = bytes.last else { return false }
    return isAlphanumeric(first) && isAlphanumeric(last)
      && bytes.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
  }

  /// Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html, partitions
  private static func suffix(_ region: String) -> String {
    if region.hasPrefix("cn-") { return "amazonaws.com.cn" }
    if region.hasPrefix("us-iso-") { return "c2s.ic.gov" }
    if region.hasPrefix("us-isob-") { return "sc2s.sgov.gov" }
    return "amazonaws.com"
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
