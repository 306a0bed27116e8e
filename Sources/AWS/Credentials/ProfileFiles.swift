/// Where the shared files are.
public struct ProfileFiles: Sendable {
  public var credentialsPath: String?
  public var configPath: String?

  public init(credentialsPath: String?, configPath: String?) {
    self.credentialsPath = credentialsPath
    self.configPath = configPath
  }
}
