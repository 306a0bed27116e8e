import Base

/// The services that are called; the raw value is the name that a signature carries.
package enum Service: String, Sendable, CaseIterable {
  case s3
  case dynamodb
  case kinesis
  case secretsManager = "secretsmanager"
  case sts

  /// The variable that sets its endpoint.
  package var endpointVariable: String {
    switch self {
    case .s3: "AWS_ENDPOINT_URL_S3"
    case .dynamodb: "AWS_ENDPOINT_URL_DYNAMODB"
    case .kinesis: "AWS_ENDPOINT_URL_KINESIS"
    case .secretsManager: "AWS_ENDPOINT_URL_SECRETS_MANAGER"
    case .sts: "AWS_ENDPOINT_URL_STS"
    }
  }
}

extension Service {
  /// The name in a `[services …]` section of the shared config file.
  var nameInServices: String { self == .secretsManager ? "secrets_manager" : rawValue }
}

/// The endpoint of each service: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, those of the profile, or the
/// region's own.
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

  /// Throws `EndpointError` naming the variable, or the profile's setting, that is no `http(s)://` URL, or neither
  /// `true` nor `false`.
  package init(
    environment: [String: String], profile: ProfileEndpoints = ProfileEndpoints()
  ) throws(EndpointError) {
    func isSwitchedOn(_ variable: String, _ setting: String) throws(EndpointError) -> Bool {
      if let value = environment[variable], !value.isEmpty { return try Self.isTrue(value, variable) }
      guard let (name, value) = profile.value(setting) else { return false }
      return try Self.isTrue(value, name)
    }
    usesDualStack = try isSwitchedOn("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")
    usesFIPS = try isSwitchedOn("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")
    if try isSwitchedOn("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls") { return }
    for service in Service.allCases {
      let named = [service.endpointVariable, "AWS_ENDPOINT_URL"].lazy.compactMap { name in
        environment[name].map { (name, $0) }
      }.first { !$0.1.isEmpty }
      guard let (name, value) = named ?? profile.endpoint(of: service) else { continue }
      guard let endpoint = Endpoint(value) else { throw EndpointError(variable: name, value: value) }
      custom[service] = endpoint
    }
  }

  private static func isTrue(_ value: String, _ name: String) throws(EndpointError) -> Bool {
    switch value.lowercased() {
    case "false": return false
    case "true": return true
    default: throw EndpointError(variable: name, value: value, problem: "neither true nor false")
    }
  }

  /// The same with S3 at another endpoint. Throws `EndpointError` for what is no `http(s)://` URL.
  package func reachingS3(at url: String) throws(EndpointError) -> Endpoints {
    guard let endpoint = Endpoint(url) else { throw EndpointError(variable: "endpoint", value: url) }
    var endpoints = self
    endpoints.custom[.s3] = endpoint
    return endpoints
  }

  /// Whether a service is reached at an endpoint of AWS's own.
  package func isAtAWS(_ service: Service) -> Bool {
    guard let host = custom[service]?.host else { return true }
    return Partition.isHost(host)
  }

  /// The endpoint set by the environment or the profile; nil for the region's own.
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
    // In GovCloud these have no other endpoints than such.
    let isFIPSAnyway =
      [.dynamodb, .kinesis, .sts].contains(service) && partition == .government && !usesDualStack
    if usesFIPS, !isFIPSAnyway { name += "-fips" }
    guard usesDualStack else { return "\(name).\(region).\(partition.suffix)" }
    switch service {
    case .s3: return "\(name).dualstack.\(region).\(partition.suffix)"
    // Answers over IPv6 at its usual name.
    case .secretsManager: return "\(name).\(region).\(partition.suffix)"
    case .dynamodb, .kinesis, .sts: return "\(name).\(region).\(partition.dualStackSuffix)"
    }
  }

  /// Endpoint and path of an object: the bucket is part of the host's name where it may be, and where no endpoint
  /// is set; else it leads the path.
  ///
  /// Reference: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
  func object(bucket: String, key: String, region: String) -> (endpoint: Endpoint, path: String) {
    var endpoint = endpoint(.s3, region: region)
    let path = "/" + PercentEncoding.path(key)
    if let point = AccessPoint(arn: bucket) {
      // In its own region, so that S3 names that one where it is another than the one that is signed for.
      if custom[.s3] == nil { endpoint.host = accessPointHost(point.region) }
      endpoint.host = "\(point.name)-\(point.account).\(endpoint.host)"
      return (endpoint, path)
    }
    if custom[.s3] == nil, Self.mayBeHostLabel(bucket) {
      endpoint.host = "\(bucket).\(endpoint.host)"
      return (endpoint, path)
    }
    return (endpoint, "/" + PercentEncoding.path(bucket) + path)
  }

  /// Reference: https://docs.aws.amazon.com/general/latest/gr/s3.html, Amazon S3 access points endpoints
  private func accessPointHost(_ region: String) -> String {
    let name = (usesFIPS ? "s3-accesspoint-fips" : "s3-accesspoint") + (usesDualStack ? ".dualstack" : "")
    return "\(name).\(region).\(Partition(region: region).suffix)"
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

  /// Whether a host's name belongs to AWS.
  static func isHost(_ host: String) -> Bool {
    ([commercial] + others.map(\.partition)).contains { partition in
      host.hasSuffix("." + partition.suffix) || host.hasSuffix("." + partition.dualStackSuffix)
    }
  }

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
