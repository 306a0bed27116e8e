import ArgumentParser

/// Which AWS account and region. Keys, endpoints and proxies are AWS's own variables: the AWS module reads
/// them from `environment`; here they are checked and shown.
struct AWSSettings: Sendable, Equatable {
  /// The profile to use, and no other source of keys; nil: the default chain.
  let profile: String?
  let region: String
  /// The environment as it was given.
  let environment: [String: String]

  static let profile = Setting<String?>(
    "PIPELINE_IAM_USER", .text("the name of a profile in the AWS configuration", "profile"),
    "Profile whose keys are used, and no others; unset: the default chain")
  static let region = Setting("REGION", default: "ap-southeast-1", .region, "AWS region")

  struct Flags: ParsableArguments, Sendable {
    @Option(AWSSettings.profile) var profile: String?
    @Option(AWSSettings.region) var region: String?
  }

  init(_ reader: inout SettingReader, environment: [String: String]) {
    profile = reader.value(Self.profile, \Flags.profile)
    region = reader.value(Self.region, \Flags.region)
    self.environment = environment
    guard reader.reads(Flags.self) else { return }
    if let other = environment["AWS_REGION"], !other.isEmpty, other != region {
      reader.warn(
        "AWS_REGION is '\(Text.oneLine(other))' but REGION is in force: '\(region)'; set REGION to change it")
    }
    Self.readForeign(&reader)
    if profile != nil, reader.isSet("AWS_ACCESS_KEY_ID") {
      reader.warn("the keys in AWS_ACCESS_KEY_ID are ignored because PIPELINE_IAM_USER names a profile")
    }
  }

  private static func readForeign(_ reader: inout SettingReader) {
    let text = Rule<String>.text("text on one line", "text")
    reader.foreign("AWS_PROFILE", text)
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
      reader.foreign(name, text, isSecret: true)
    }
    for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] { reader.foreign(name, text) }
    reader.foreign("AWS_CA_BUNDLE", Rule<String>.readableFile)
    for service in ["", "_S3", "_DYNAMODB", "_SECRETS_MANAGER", "_STS"] {
      reader.foreign(
        "AWS_ENDPOINT_URL" + service, Rule<ServiceURL>.url(["http", "https"], allowsQuery: false))
    }
    for name in ["HTTPS_PROXY", "https_proxy"] { reader.foreign(name, Rule<String>.proxy) }
    for name in ["NO_PROXY", "no_proxy"] { reader.foreign(name, text) }
  }
}

extension Rule where Value == String {
  /// A proxy's address, with or without a scheme.
  static var proxy: Rule {
    let schemes = ["http", "https"]
    return Rule(
      allowed: "a proxy such as http://host:port", placeholder: "url",
      parse: { text throws(Refusal) in
        _ = try ServiceURL(text.contains("://") ? text : "http://" + text, schemes: schemes)
        return text
      }, shown: ServiceURL.redacted)
  }
}
