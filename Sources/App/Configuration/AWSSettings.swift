import AWS
import ArgumentParser
import Base
import Shippers

/// The AWS account and region. Keys, endpoints and proxies are AWS's own variables: the AWS module reads
/// them from `environment`; here they are checked and shown.
struct AWSSettings: Sendable, Equatable {
  /// The profile to use, and no other source of keys; nil: the default chain.
  let profile: String?
  let region: String
  /// The encryption that S3 is asked for; nil: as the bucket says.
  let objectEncryption: ObjectEncryption?
  /// The environment as it was given.
  let environment: [String: String]

  static let profile = Setting<String?>(
    "PIPELINE_IAM_USER", .text("the name of a profile in the AWS configuration", "profile"),
    "Profile whose keys are used, and no others; unset: the default chain")
  static let region = Setting("REGION", default: "ap-southeast-1", .region, "AWS region")

  static let encryption = Setting(
    "S3_SSE", default: "none", .encryption, "How S3 encrypts the objects; none: as the bucket says")
  static let encryptionKey = Setting<String?>(
    "S3_SSE_KMS_KEY_ID", encryptionKeyRule(isUsed: true),
    "ID, ARN or alias/… of the KMS key for S3_SSE=aws:kms; unset: the account's own for S3")

  struct Flags: ParsableArguments, Sendable {
    @Option(AWSSettings.profile) var profile: String?
    @Option(AWSSettings.region) var region: String?
    @Option(AWSSettings.encryption) var encryption: String?
    @Option(AWSSettings.encryptionKey) var encryptionKey: String?
  }

  private static func encryptionKeyRule(isUsed: Bool) -> Rule<String> {
    let name = Rule<String>.text("the ID, ARN or alias/… of a KMS key", "key")
    return Rule(
      allowed: name.allowed + ", with S3_SSE=aws:kms", placeholder: name.placeholder,
      parse: { text throws(BadText) in
        guard isUsed else { throw BadText("S3_SSE is not aws:kms") }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw BadText() }
        return try name.parse(text)
      })
  }

  init(_ reader: inout SettingReader, environment: [String: String]) {
    profile = reader.value(Self.profile, \Flags.profile)
    region = reader.value(Self.region, \Flags.region)
    let encryption = reader.value(Self.encryption, \Flags.encryption)
    let isUsed = encryption == .kms(keyID: nil)
    let key = reader.value(
      Setting<String?>(
        Self.encryptionKey.name, Self.encryptionKeyRule(isUsed: isUsed), Self.encryptionKey.summary),
      \Flags.encryptionKey)
    objectEncryption = isUsed ? .kms(keyID: key) : encryption
    self.environment = environment
    guard reader.reads(Flags.self) else { return }
    let isElsewhere = environment.contains { $0.key.hasPrefix("AWS_ENDPOINT_URL") && !$0.value.isEmpty }
    if !isElsewhere, !Self.looksLikeRegion(region) {
      reader.warn("REGION is '\(region)', which is no name of AWS's, such as ap-southeast-1")
    }
    if let other = environment["AWS_REGION"], !other.isEmpty, other != region {
      reader.warn(
        "AWS_REGION is '\(Text.oneLine(other))' but REGION is in force: '\(region)'; set REGION to change it")
    }
    Self.readForeign(&reader)
    if profile != nil, reader.isSet("AWS_ACCESS_KEY_ID") {
      reader.warn("the keys in AWS_ACCESS_KEY_ID are ignored because PIPELINE_IAM_USER names a profile")
    }
  }

  /// Words and a number, with hyphens between them. Stores that are not AWS's may have other names.
  static func looksLikeRegion(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 3, let number = parts.last, Text.isDigits(number) else { return false }
    return parts.dropLast().allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isLetter) }
  }

  private static func readForeign(_ reader: inout SettingReader) {
    let text = Rule<String>.text("text on one line", "text")
    reader.foreign("AWS_PROFILE", text)
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
      reader.foreign(name, text, isSecret: true)
    }
    for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] { reader.foreign(name, text) }
    reader.foreign("AWS_CA_BUNDLE", Rule<String>.readableFile)
    for variable in ["AWS_ENDPOINT_URL"] + Service.allCases.map(\.endpointVariable) {
      reader.foreign(variable, Rule<URLText>.url(["http", "https"], allowsQuery: false))
    }
    for name in [
      "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT",
      "AWS_EC2_METADATA_DISABLED",
    ] {
      reader.foreign(name, Rule<Bool>.trueOrFalse)
    }
    for name in [
      "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
      "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
      "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    ] { reader.foreign(name, text) }
    reader.foreign("AWS_CONTAINER_AUTHORIZATION_TOKEN", text, isSecret: true)
    for name in ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_SERVICE_ENDPOINT"] {
      reader.foreign(name, Rule<URLText>.url(["http", "https"]))
    }
    for name in ["HTTPS_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "all_proxy"] {
      reader.foreign(name, Rule<String>.proxy)
    }
    for name in ["NO_PROXY", "no_proxy"] { reader.foreign(name, text) }
  }
}

extension Rule where Value == Bool {
  /// As AWS's own switches are written.
  static var trueOrFalse: Rule {
    Rule(
      allowed: "true or false", placeholder: "true|false",
      parse: { text throws(BadText) in
        switch text.lowercased() {
        case "true": return true
        case "false": return false
        default: throw BadText()
        }
      })
  }
}

extension Rule where Value == ObjectEncryption? {
  /// The names that S3 has for it, in any case.
  static var encryption: Rule {
    Rule(
      allowed: "none, AES256 or aws:kms", placeholder: "none|AES256|aws:kms",
      parse: { text throws(BadText) in
        switch Text.trimmed(text).lowercased() {
        case "none": return nil
        case "aes256": return .s3
        case "aws:kms": return .kms(keyID: nil)
        default: throw BadText()
        }
      })
  }
}
