import Foundation
import TestSupport
import Testing

@testable import AWS

@Suite struct EndpointTests {
  @Test(arguments: [
    ("http://127.0.0.1:4566", "http://127.0.0.1:4566", "127.0.0.1:4566"),
    ("https://s3.example.org/", "https://s3.example.org", "s3.example.org"),
    ("HTTPS://S3.Example.org:443", "https://s3.example.org", "s3.example.org"),
    ("http://host:80/base/path/", "http://host/base/path", "host"),
    ("http://[::1]:8000", "http://[::1]:8000", "[::1]:8000"),
    ("http://[::1]", "http://[::1]", "[::1]"),
  ])
  func `endpoint URLs are read`(url: String, description: String, authority: String) throws {
    let endpoint = try #require(Endpoint(url))
    #expect(endpoint.description == description)
    #expect(endpoint.authority == authority)
  }

  @Test(arguments: [
    "", "localhost:4566", "ftp://host", "http://", "http://host:0", "http://host:x", "http://host:99999",
    "http://user:pass@host", "http://host?x=1", "http://host/a b", "http://ho st", "http://host#f",
    "http://hést",
  ])
  func `anything else is none`(url: String) {
    #expect(Endpoint(url) == nil)
  }

  @Test func `a service's own variable goes before the general one`() throws {
    let endpoints = try Endpoints(environment: [
      "AWS_ENDPOINT_URL": "http://all:1", "AWS_ENDPOINT_URL_S3": "http://s3:2", "AWS_ENDPOINT_URL_STS": "",
    ])
    #expect(endpoints.endpoint(.s3, region: "r").description == "http://s3:2")
    #expect(endpoints.endpoint(.sts, region: "r").description == "http://all:1")
    #expect(endpoints.endpoint(.secretsManager, region: "r").description == "http://all:1")
    #expect(throws: EndpointError(variable: "AWS_ENDPOINT_URL_DYNAMODB", value: "x")) {
      _ = try Endpoints(environment: ["AWS_ENDPOINT_URL_DYNAMODB": "x"])
    }
  }

  private static let config = """
    [default]
    endpoint_url = http://default:1
    [profile p]
    services = mine
    endpoint_url = http://p:1
    [profile other]
    endpoint_url = http://other:1/base/
    ignore_configured_endpoint_urls = true
    use_fips_endpoint = true
    [profile bad]
    endpoint_url = nowhere
    [profile lost]
    services = nobody
    [services mine]
    s3 =
      endpoint_url = http://s3:2   # the store
      addressing_style = path
    secrets_manager =
      endpoint_url = http://secrets:3
    """

  private func endpoints(
    _ profile: String, _ environment: [String: String] = [:]
  ) async throws -> Endpoints {
    try await withTemporaryFolder { folder in
      try Self.config.write(toFile: folder + "/config", atomically: true, encoding: .utf8)
      let files = ProfileFiles(credentialsPath: folder + "/credentials", configPath: folder + "/config")
      return try Endpoints(
        environment: environment, profile: try ProfileEndpoints(profile: profile, files: files))
    }
  }

  /// As botocore 1.43 resolves them.
  @Test(arguments: [
    ("default", [:], "http://default:1", "http://default:1", "http://default:1"),
    ("p", [:], "http://s3:2", "http://p:1", "http://secrets:3"),
    ("p", ["AWS_ENDPOINT_URL": "http://all:9"], "http://all:9", "http://all:9", "http://all:9"),
    ("p", ["AWS_ENDPOINT_URL_DYNAMODB": "http://d:9"], "http://s3:2", "http://d:9", "http://secrets:3"),
    (
      "p", ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": "http://all:9"],
      "https://s3.r.amazonaws.com", "https://dynamodb.r.amazonaws.com",
      "https://secretsmanager.r.amazonaws.com"
    ),
    (
      "other", [:], "https://s3-fips.r.amazonaws.com", "https://dynamodb-fips.r.amazonaws.com",
      "https://secretsmanager-fips.r.amazonaws.com"
    ),
    (
      "other", ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"], "http://other:1/base", "http://other:1/base",
      "http://other:1/base"
    ),
    (
      "nobody", [:], "https://s3.r.amazonaws.com", "https://dynamodb.r.amazonaws.com",
      "https://secretsmanager.r.amazonaws.com"
    ),
  ])
  func `a profile's endpoints count behind those of the environment, a service's own first`(
    profile: String, environment: [String: String], s3: String, dynamodb: String, secrets: String
  ) async throws {
    let endpoints = try await endpoints(profile, environment)
    #expect(endpoints.endpoint(.s3, region: "r").description == s3)
    #expect(endpoints.endpoint(.dynamodb, region: "r").description == dynamodb)
    #expect(endpoints.endpoint(.secretsManager, region: "r").description == secrets)
  }

  @Test func `what means nothing in a profile is named`() async throws {
    let url = await #expect(throws: EndpointError.self) { _ = try await endpoints("bad") }
    #expect(url?.description.hasPrefix("endpoint_url of profile bad=nowhere: not an http://") == true)
    let section = await #expect(throws: CredentialError.self) { _ = try await endpoints("lost") }
    #expect(
      section?.description == "profile lost has services nobody, and there is no section [services nobody]")
    let flag = await #expect(throws: EndpointError.self) {
      _ = try await endpoints("p", ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "1"])
    }
    #expect(flag?.description == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=1: neither true nor false")
  }

  @Test(arguments: [
    ("arn:aws:s3:eu-west-1:123456789012:accesspoint/my-point", true),
    ("arn:aws:s3:eu-west-1:123456789012:accesspoint:my-point", true),
    ("arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/abc", true),
    ("arn:aws:s3::123456789012:accesspoint/m1.mrap", false), ("arn:aws:s3:::bucket", false),
    ("arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/abc", false),
    ("arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-1/accesspoint/abc", false),
    ("arn:aws:s3:eu-west-1:12345678901:accesspoint/abc", false),
    ("arn:aws:s3:eu-west-1:123456789012:accesspoint/evil.example#", false),
    ("arn:aws:s3:eu-west-1:123456789012:accesspoint/a/b", false), ("arn:aws:s3", false), ("", false),
  ])
  func `access points are told by their ARNs`(arn: String, isOne: Bool) {
    #expect((AccessPoint(arn: arn) != nil) == isOne)
  }

  @Test func `an access point has a host of its own`() throws {
    let arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint/my-point"
    func host(_ environment: [String: String]) throws -> String {
      let (endpoint, path) = try Endpoints(environment: environment).object(
        bucket: arn, key: "dt=1/k", region: "eu-west-1")
      #expect(path == "/dt%3D1/k")
      return endpoint.description
    }
    #expect(try host([:]) == "https://my-point-123456789012.s3-accesspoint.eu-west-1.amazonaws.com")
    #expect(
      try host(["AWS_USE_DUALSTACK_ENDPOINT": "true", "AWS_USE_FIPS_ENDPOINT": "true"])
        == "https://my-point-123456789012.s3-accesspoint-fips.dualstack.eu-west-1.amazonaws.com")
    #expect(
      try host(["AWS_ENDPOINT_URL_S3": "https://s3.private.example:8443"])
        == "https://my-point-123456789012.s3.private.example:8443")
  }

  @Test(arguments: [
    (nil, true), ("https://s3.eu-west-1.amazonaws.com", true),
    ("https://s3.cn-north-1.amazonaws.com.cn", true),
    ("https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com", true), ("https://s3.dualstack.x.api.aws", true),
    ("http://127.0.0.1:9000", false), ("https://x.r2.cloudflarestorage.com", false),
    ("https://amazonaws.com.evil.example", false), ("https://myamazonaws.com", false),
  ])
  func `a store is AWS's own or another's`(url: String?, isAWS: Bool) throws {
    let environment = url.map { ["AWS_ENDPOINT_URL_S3": $0] } ?? [:]
    #expect(try Endpoints(environment: environment).isAtAWS(.s3) == isAWS)
  }

  @Test(arguments: [
    ("eu-west-1", "https://secretsmanager.eu-west-1.amazonaws.com"),
    ("cn-north-1", "https://secretsmanager.cn-north-1.amazonaws.com.cn"),
    ("us-gov-west-1", "https://secretsmanager.us-gov-west-1.amazonaws.com"),
  ])
  func `regions have endpoints of their own`(region: String, url: String) {
    #expect(Endpoints().endpoint(.secretsManager, region: region).description == url)
  }

  /// As botocore 1.43 resolves them.
  @Test(arguments: [
    (Service.s3, "eu-west-1", "s3-fips.eu-west-1.amazonaws.com", "s3.dualstack.eu-west-1.amazonaws.com"),
    (.s3, "us-gov-west-1", "s3-fips.us-gov-west-1.amazonaws.com", "s3.dualstack.us-gov-west-1.amazonaws.com"),
    (.dynamodb, "eu-west-1", "dynamodb-fips.eu-west-1.amazonaws.com", "dynamodb.eu-west-1.api.aws"),
    (.dynamodb, "us-gov-west-1", "dynamodb.us-gov-west-1.amazonaws.com", "dynamodb.us-gov-west-1.api.aws"),
    (
      .dynamodb, "cn-north-1", "dynamodb-fips.cn-north-1.amazonaws.com.cn",
      "dynamodb.cn-north-1.api.amazonwebservices.com.cn"
    ),
    (
      .secretsManager, "eu-west-1", "secretsmanager-fips.eu-west-1.amazonaws.com",
      "secretsmanager.eu-west-1.amazonaws.com"
    ),
    (.kinesis, "eu-west-1", "kinesis-fips.eu-west-1.amazonaws.com", "kinesis.eu-west-1.api.aws"),
    (.kinesis, "us-gov-west-1", "kinesis.us-gov-west-1.amazonaws.com", "kinesis.us-gov-west-1.api.aws"),
    (.sts, "eu-west-1", "sts-fips.eu-west-1.amazonaws.com", "sts.eu-west-1.api.aws"),
    (.sts, "us-gov-west-1", "sts.us-gov-west-1.amazonaws.com", "sts.us-gov-west-1.api.aws"),
    (
      .sts, "eu-isoe-west-1", "sts-fips.eu-isoe-west-1.cloud.adc-e.uk",
      "sts.eu-isoe-west-1.api.cloud-aws.adc-e.uk"
    ),
  ])
  func `FIPS and dual-stack endpoints have names of their own`(
    service: Service, region: String, fips: String, dualStack: String
  ) throws {
    let isFIPS = try Endpoints(environment: ["AWS_USE_FIPS_ENDPOINT": "true"])
    #expect(isFIPS.endpoint(service, region: region).host == fips)
    let isDual = try Endpoints(environment: ["AWS_USE_DUALSTACK_ENDPOINT": "True"])
    #expect(isDual.endpoint(service, region: region).host == dualStack)
    let isNeither = try Endpoints(environment: [
      "AWS_USE_FIPS_ENDPOINT": "false", "AWS_USE_DUALSTACK_ENDPOINT": "",
    ])
    #expect(isNeither == Endpoints())
  }

  @Test func `both at once, a bucket in front, and a word that is no answer`() throws {
    let both = try Endpoints(environment: [
      "AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true",
    ])
    #expect(
      both.object(bucket: "bucket", key: "k", region: "us-east-1").endpoint.host
        == "bucket.s3-fips.dualstack.us-east-1.amazonaws.com")
    #expect(
      both.endpoint(.dynamodb, region: "us-gov-west-1").host == "dynamodb-fips.us-gov-west-1.api.aws")
    let error = #expect(throws: EndpointError.self) {
      _ = try Endpoints(environment: ["AWS_USE_FIPS_ENDPOINT": "1"])
    }
    #expect(error?.description == "AWS_USE_FIPS_ENDPOINT=1: neither true nor false")
  }

  @Test(arguments: [
    ("crypto-live-bucket", "https://crypto-live-bucket.s3.eu-west-1.amazonaws.com", "/k"),
    ("with.dots", "https://s3.eu-west-1.amazonaws.com", "/with.dots/k"),
    ("Capital", "https://s3.eu-west-1.amazonaws.com", "/Capital/k"),
    ("-dash", "https://s3.eu-west-1.amazonaws.com", "/-dash/k"),
    ("ab", "https://s3.eu-west-1.amazonaws.com", "/ab/k"),
  ])
  func `the bucket is in the host's name where it may be`(bucket: String, endpoint: String, path: String) {
    let place = Endpoints().object(bucket: bucket, key: "k", region: "eu-west-1")
    #expect(place.endpoint.description == endpoint)
    #expect(place.path == path)
  }

  @Test func `with an endpoint set the bucket leads the path`() throws {
    let endpoints = try Endpoints(environment: ["AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"])
    let place = endpoints.object(bucket: "crypto-live-bucket", key: "/a", region: "eu-west-1")
    #expect(place.endpoint.description == "http://127.0.0.1:9000")
    #expect(place.path == "/crypto-live-bucket//a")
  }
}
