/// The endpoints that a profile sets, as far as they are set, and the roots that are trusted there.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
package struct ProfileEndpoints: Sendable, Equatable {
  private var profile = ""
  private var settings: [String: String] = [:]
  private var services: [String: String] = [:]

  /// None.
  package init() {}

  /// - Parameters:
  ///   - settings: of the profile.
  ///   - services: of the section that its `services` names.
  init(profile: String, settings: [String: String], services: [String: String]) {
    self.profile = profile
    self.settings = settings
    self.services = services
  }

  /// Those of a profile in the shared files; none if it does not exist, or may not be read.
  ///
  /// Throws `CredentialError.Code.unreadable` for a file that cannot be understood, `incomplete` for a `services` that
  /// names a section which does not exist.
  package init(profile: String, files: ProfileFiles) throws(CredentialError) {
    self.init()
    do throws(CredentialError) {
      guard let settings = try files.settings(of: profile) else { return }
      var services: [String: String] = [:]
      if let name = settings["services"] {
        guard let found = try files.services(name) else {
          throw CredentialError(
            .incomplete, "profile \(profile) has services \(name), and there is no section [services \(name)]"
          )
        }
        services = found
      }
      self = ProfileEndpoints(profile: profile, settings: settings, services: services)
    } catch {
      guard error.code == .denied else { throw error }
    }
  }

  /// The service's own before that of all, with a name for messages.
  func endpoint(of service: Service) -> (name: String, value: String)? {
    let name = "\(service.nameInServices).endpoint_url"
    if let value = services[name] { return ("\(name) in the services of profile \(profile)", value) }
    return value("endpoint_url")
  }

  /// A setting of the profile, with a name for messages.
  func value(_ setting: String) -> (name: String, value: String)? {
    settings[setting].map { ("\(setting) of profile \(profile)", $0) }
  }

  /// PEM file of trusted roots in place of the system's, with a name for messages.
  ///
  /// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html (`ca_bundle`)
  package var caBundle: (name: String, value: String)? {
    value("ca_bundle").flatMap { $0.value.isEmpty ? nil : $0 }
  }

  /// Whether it sets an endpoint, or which ones are used.
  package var isEmpty: Bool {
    Service.allCases.allSatisfy { endpoint(of: $0) == nil } && value("use_dualstack_endpoint") == nil
      && value("use_fips_endpoint") == nil
  }
}
