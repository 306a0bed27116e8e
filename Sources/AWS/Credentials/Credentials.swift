/// Keys that sign requests. No description, dump or interpolation shows them.
public struct Credentials: Sendable, Hashable {
  public var accessKeyID: String
  public var secretAccessKey: String
  public var sessionToken: String?
  /// Epoch seconds UTC; nil for keys that do not expire.
  public var expiration: Int?
  /// Where they came from, for the log: `environment`, `profile prod`.
  public var source: String

  public init(
    accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, expiration: Int? = nil,
    source: String
  ) {
    self.accessKeyID = accessKeyID
    self.secretAccessKey = secretAccessKey
    self.sessionToken = sessionToken
    self.expiration = expiration
    self.source = source
  }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "credentials from \(source)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
