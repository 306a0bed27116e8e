/// The shared credentials and config files, as far as a profile's settings go.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html
package struct ProfileFiles: Sendable, CustomStringConvertible {
  /// nil when neither a variable nor a home folder tells.
  package var credentialsPath: String?
  package var configPath: String?

  package init(credentialsPath: String?, configPath: String?) {
    self.credentialsPath = credentialsPath
    self.configPath = configPath
  }

  /// `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE`, or `credentials` and `config` in `~/.aws`.
  package init(environment: [String: String]) {
    let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 }
    func path(_ variable: String, _ name: String) -> String? {
      guard let set = environment[variable], !set.isEmpty else { return home.map { "\($0)/.aws/\(name)" } }
      guard set.hasPrefix("~/"), let home else { return set }
      return home + set.dropFirst()
    }
    self.init(
      credentialsPath: path("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
      configPath: path("AWS_CONFIG_FILE", "config"))
  }

  package var description: String {
    let paths = [credentialsPath, configPath].compactMap { $0 }
    return paths.isEmpty ? "any file (HOME is not set)" : paths.joined(separator: " or ")
  }

  /// The profile's settings from both files, the credentials file's first; nil when it is in neither.
  func settings(of profile: String) throws(CredentialError) -> [String: String]? {
    var found: [String: String]?
    if let configPath, let config = try Self.read(configPath) {
      // `[profile default]` counts before `[default]`; any other profile needs the word in this file.
      for name in profile == "default" ? ["default", "profile default"] : ["profile \(profile)"] {
        guard let section = config[name] else { continue }
        found = (found ?? [:]).merging(section) { _, new in new }
      }
    }
    if let credentialsPath, let section = try Self.read(credentialsPath)?[profile] {
      found = (found ?? [:]).merging(section) { _, new in new }
    }
    return found
  }

  /// The settings of a `[services NAME]` section of the config file, those of a service under `service.setting`; nil when
  /// there is none.
  func services(_ name: String) throws(CredentialError) -> [String: String]? {
    guard let configPath else { return nil }
    return try Self.read(configPath)?["services \(name)"]
  }

  private static func read(_ path: String) throws(CredentialError) -> [String: [String: String]]? {
    guard let bytes = try SmallFile.read(path) else { return nil }
    return try ProfileFileParser.parse(bytes, path: path)
  }
}
