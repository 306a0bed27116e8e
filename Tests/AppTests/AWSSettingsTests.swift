import AWS
import Base
import Testing

@testable import tickwal

@Suite struct AWSSettingsTests {
  private func settings(_ environment: [String: String]) throws -> Configuration {
    try Configuration(flags: try RunFlags.parse([]), environment: environment)
  }

  @Test(arguments: [
    ([:], nil), (["S3_SSE": "none"], nil), (["S3_SSE": "aes256"], ObjectEncryption.s3),
    (["S3_SSE": "AES256"], .s3), (["S3_SSE": "aws:kms"], .kms(keyID: nil)),
    (["S3_SSE": "AWS:KMS", "S3_SSE_KMS_KEY_ID": "alias/ticks"], .kms(keyID: "alias/ticks")),
  ])
  func `encryption is none, S3's or a key's`(environment: [String: String], expected: ObjectEncryption?)
    throws
  {
    #expect(try settings(environment).aws.objectEncryption == expected)
  }

  @Test(arguments: [
    (["S3_SSE": "kms"], "S3_SSE"), (["S3_SSE_KMS_KEY_ID": "alias/x"], "S3_SSE_KMS_KEY_ID"),
    (["S3_SSE": "AES256", "S3_SSE_KMS_KEY_ID": "alias/x"], "S3_SSE_KMS_KEY_ID"),
    (["S3_SSE": "aws:kms", "S3_SSE_KMS_KEY_ID": "a b"], "S3_SSE_KMS_KEY_ID"),
    (["AWS_USE_FIPS_ENDPOINT": "yes"], "AWS_USE_FIPS_ENDPOINT"),
    (["AWS_CONTAINER_CREDENTIALS_FULL_URI": "host"], "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
  ])
  func `what fits nothing is refused`(environment: [String: String], name: String) {
    let error = #expect(throws: BadSettings.self) { _ = try settings(environment) }
    #expect(error?.problems.map(\.name) == [name])
  }

  @Test func `what is secret in AWS's own variables is not shown`() throws {
    let shown = try settings([
      "AWS_CONTAINER_AUTHORIZATION_TOKEN": "hush", "HTTPS_PROXY": "http://user:hush@proxy:3128",
      "ALL_PROXY": "user:hush@proxy", "http_proxy": "http://hush@proxy:1",
    ]).entries
    #expect(shown.allSatisfy { $0.value?.contains("hush") != true })
    #expect(shown.contains { $0.name == "HTTPS_PROXY" && $0.value == "http://***@proxy:3128" })
  }
}
