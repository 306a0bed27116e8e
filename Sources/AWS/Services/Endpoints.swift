import Base

/// The services that are called; the raw value is the name that a signature carries.
package enum Service: String, Sendable, CaseIterable {
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

/// The endpoint of each service: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, or the region's own.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html,
/// https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html
package struct Endpoints: Sendable, Equatable {
  private var custom: [Service: Endpoint] = [:]
  /// The region's endpoints that answer over IPv6, too.
  private var usesDualStack = false
  /// The region's endpoints with validated cryptography.
  private var usesFIPS = false

  /// All at the region's own endpoints.
  package init() {}

  /// Throws `EndpointError` naming the variable that is no `http(s)://` URL, or neither `true` nor `false`.
  package init(environment: [String: String]) throws(EndpointError) {
    for service in Service.allCases {
      for variable in [service.endpointVariable, "AWS_ENDPOINT_URL"] {
        guard let value = environment[variable], !value.isEmpty else { continue }
        guard let endpoint = Endpoint(value) else { throw EndpointError(variable: variable, value: value) }
        custom[service] = endpoint
        break
      }
    }
    usesDualStack = try Self.isSwitchedOn("AWS_USE_DUALSTACK_ENDPOINT", environment)
    usesFIPS = try Self.isSwitchedOn("AWS_USE_FIPS_ENDPOINT", environment)
  }

  private static func isSwitchedOn(
    _ variable: String, _ environment: [String: String]
  ) throws(EndpointError) -> Bool {
    switch environment[variable]?.lowercased() {
    case nil, "", "false": return false
    case "true": return true
    default:
      throw EndpointError(
        variable: variable, value: environment[variable] ?? "", problem: "neither true nor false")
    }
  }

  /// The endpoint set by the environment; nil for the region's own.
  package func configured(_ service: Service) -> Endpoint? {
    custom[service]
  }

  /// The endpoint of the service for the region.
  package func endpoint(_ service: Service, region: String) -> Endpoint {
    custom[service] ?? Endpoint(host: host(service, region))
  }

  private func host(_ service: Service, _ region: String) -> String {
    let partition = Partition(region: region)
    var name = service.rawValue
    // In GovCloud these two have no other endpoints than such.
    let isFIPSAnyway =
      (service == .dynamodb || service == .sts) && partition == .government && !usesDualStack
    if usesFIPS, !isFIPSAnyway { name += "-fips" }
    guard usesDualStack else { return "\(name).\(region).\(partition.suffix)" }
    switch service {
    case .s3: return "\(name).dualstack.\(region).\(partition.suffix)"
    // Answers over IPv6 at its usual name.
    case .secretsManager: return "\(name).\(region).\(partition.suffix)"
    case .dynamodb, .sts: return "\(name).\(region).\(partition.dualStackSuffix)"
    }
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
}

/// A group of regions with a domain of its own.
///
/// Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html, partitions
private struct Partition: Equatable {
  var suffix: String
  var dualStackSuffix: String

  static let commercial = Partition("amazonaws.com", "api.aws")
  static let government = Partition("amazonaws.com", "api.aws", isGovernment: true)

  private var isGovernment: Bool

  private init(_ suffix: String, _ dualStackSuffix: String, isGovernment: Bool = false) {
    self.suffix = suffix
    self.dualStackSuffix = dualStackSuffix
    self.isGovernment = isGovernment
  }

  private static let others: [(prefix: String, partition: Partition)] = [
    ("us-gov-", government),
    ("cn-", Partition("amazonaws.com.cn", "api.amazonwebservices.com.cn")),
    ("eusc-", Partition("amazonaws.eu", "api.amazonwebservices.eu")),
    ("us-iso-", Partition("c2s.ic.gov", "api.aws.ic.gov")),
    ("us-isob-", Partition("sc2s.sgov.gov", "api.aws.scloud")),
    ("eu-isoe-", Partition("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk")),
    ("us-isof-", Partition("csp.hci.ic.gov", "api.aws.hci.ic.gov")),
  ]

  init(region: String) {
    self = Self.others.first { region.hasPrefix($0.prefix) }?.partition ?? .commercial
  }
}

/// An endpoint variable that means nothing.
package struct EndpointError: Error, Sendable, Equatable, CustomStringConvertible {
  package var variable: String
  package var value: String
  package var problem: String

  init(
    variable: String, value: String,
    problem: String = "not an http:// or https:// URL of a host, with an optional port and path"
  ) {
    self.variable = variable
    self.value = value
    self.problem = problem
  }

  package var description: String { "\(variable)=\(value): \(problem)" }
}
