import Base
import Testing

@testable import AWS

/// Signatures that AWS publishes in its documentation of S3, and parts of the signer by themselves.
@Suite struct SignerTests {
  static let keys = Credentials(
    accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    source: "test")
  /// 2013-05-24T00:00:00Z
  static let date = 1_369_353_600
  static let bucket = Endpoint(host: "examplebucket.s3.amazonaws.com")

  private func signature(_ unsigned: HTTPRequest) throws -> String {
    var request = unsigned
    request.headers.add("Host", "examplebucket.s3.amazonaws.com")
    SigV4Signer.s3.sign(&request, credentials: Self.keys, epochSeconds: Self.date) { day in
      SigningKey(secretAccessKey: Self.keys.secretAccessKey, day: day, region: "us-east-1", service: "s3")
    }
    return String(try #require(request.headers["Authorization"]).suffix(64))
  }

  // Reference: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
  @Test func `GET object is signed as S3's documentation has it`() throws {
    let request = HTTPRequest(.get, Self.bucket, path: "/test.txt", headers: ["Range": "bytes=0-9"])
    #expect(try signature(request) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
  }

  @Test func `PUT object is signed as S3's documentation has it`() throws {
    let request = HTTPRequest(
      .put, Self.bucket, path: "/" + PercentEncoding.path("test$file.text"),
      headers: ["Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"],
      body: Array("Welcome to Amazon S3.".utf8))
    #expect(try signature(request) == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
  }

  @Test func `GET bucket lifecycle is signed as S3's documentation has it`() throws {
    let request = HTTPRequest(.get, Self.bucket, query: "lifecycle")
    #expect(try signature(request) == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
  }

  @Test func `list objects is signed as S3's documentation has it`() throws {
    let request = HTTPRequest(.get, Self.bucket, query: "max-keys=2&prefix=J")
    #expect(try signature(request) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
  }

  @Test(arguments: [
    ("dt=2026-11-21/a+b:c d.gz", "dt%3D2026-11-21/a%2Bb%3Ac%20d.gz"),
    ("é/../x//y", "%C3%A9/../x//y"),
    ("A-Z_a.z~0", "A-Z_a.z~0"),
    ("100%", "100%25"),
  ])
  func `keys are percent-encoded once, dots and slashes kept`(key: String, path: String) {
    #expect(PercentEncoding.path(key) == path)
  }

  @Test func `a body's hash that is known already gives the same signature, and is not made again`() throws {
    let body = Array("Welcome to Amazon S3.".utf8)
    var request = HTTPRequest(.put, Self.bucket, path: "/key", body: body)
    let plain = try signature(request)
    request.bodyDigest = SHA256.hash(body)
    #expect(try signature(request) == plain)
    request.bodyDigest = SHA256.hash([])
    #expect(try signature(request) != plain)
  }

  @Test func `a session token is signed`() throws {
    var with = HTTPRequest(.get, Self.bucket)
    var keys = Self.keys
    keys.sessionToken = "token"
    SigV4Signer.s3.sign(&with, credentials: keys, epochSeconds: Self.date) { day in
      SigningKey(secretAccessKey: keys.secretAccessKey, day: day, region: "us-east-1", service: "s3")
    }
    let authorization = try #require(with.headers["authorization"])
    #expect(authorization.contains("SignedHeaders=x-amz-content-sha256;x-amz-date;x-amz-security-token,"))
    #expect(with.headers["X-Amz-Security-Token"] == "token")
  }

  @Test func `signing keys are cached by day and secret`() {
    let cache = SigningKeyCache(region: "us-east-1", service: "s3")
    var keys = Self.keys
    let day = Array("20130524".utf8)[...]
    let first = cache.key(keys, day: day)
    var hash = SHA256()
    func fingerprint(_ key: SigningKey) -> Digest { key.key.authenticate([1], &hash) }
    let reference = fingerprint(first)
    #expect(fingerprint(cache.key(keys, day: day)) == reference)
    #expect(fingerprint(cache.key(keys, day: Array("20130525".utf8)[...])) != reference)
    keys.secretAccessKey = "another"
    #expect(fingerprint(cache.key(keys, day: day)) != reference)
  }

  // Reference: FIPS 180-4 examples; RFC 4231 test cases 2 and 6.
  @Test func `SHA-256 and HMAC give the published values`() {
    #expect(
      SHA256.hash(Array("abc".utf8)).hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    #expect(SHA256.hash([]).base64 == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
    var hash = SHA256()
    let jefe = HMACKey(Array("Jefe".utf8), &hash)
    #expect(
      jefe.authenticate(Array("what do ya want for nothing?".utf8), &hash).hex
        == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    let long = HMACKey([UInt8](repeating: 0xaa, count: 131), &hash)
    #expect(
      long.authenticate(Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8), &hash).hex
        == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
  }
}
