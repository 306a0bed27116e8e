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

  @Test(arguments: [
    ("eu-west-1", "https://secretsmanager.eu-west-1.amazonaws.com"),
    ("cn-north-1", "https://secretsmanager.cn-north-1.amazonaws.com.cn"),
    ("us-gov-west-1", "https://secretsmanager.us-gov-west-1.amazonaws.com"),
  ])
  func `regions have endpoints of their own`(region: String, url: String) {
    #expect(Endpoints().endpoint(.secretsManager, region: region).description == url)
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
