/// Keys that sign requests. No description, dump or interpolation shows them.
package struct Credentials: Sendable, Hashable {
  package var accessKeyID: String
  package var secretAccessKey: String
  package var sessionToken: String?
  /// Epoch seconds UTC; nil for keys that do not expire.
  package var expiration: Int?
  /// When they were given, by the clock that their expiry was written by, epoch seconds UTC; nil if nobody has said.
  package var issuedAt: Int?
  /// Their source, for messages: `the environment`, `profile prod`.
  package var source: String

  package init(
    accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, expiration: Int? = nil,
    source: String
  ) {
    self.accessKeyID = accessKeyID
    self.secretAccessKey = secretAccessKey
    self.sessionToken = sessionToken
    self.expiration = expiration
    self.source = source
  }

  /// A pair of static keys where either may be missing; nil when both are.
  ///
  /// Throws `CredentialError.Code.incomplete` for half a pair, and for a key with a space or a control character
  /// in it, which no header could carry.
  init?(
    accessKeyID: String?, secretAccessKey: String?, sessionToken: String?, source: String
  ) throws(CredentialError) {
    switch (accessKeyID, secretAccessKey) {
    case (nil, nil): return nil
    case (_?, nil):
      throw CredentialError(.incomplete, "\(source) has an access key ID but no secret access key")
    case (nil, _?):
      throw CredentialError(.incomplete, "\(source) has a secret access key but no access key ID")
    case (let id?, let secret?):
      if id.isEmpty || secret.isEmpty { throw CredentialError(.incomplete, "\(source) has an empty key") }
      for text in [id, secret, sessionToken ?? ""]
      where text.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7f }) {
        throw CredentialError(.incomplete, "\(source) has a key with a character in it that no key has")
      }
      self.init(
        accessKeyID: id, secretAccessKey: secret, sessionToken: sessionToken, expiration: nil, source: source)
    }
  }

  /// Seconds from when they were given until they expire, or from `wall` where that is not known; below zero for
  /// keys that had expired before. Nil for keys that do not expire.
  package func lifetime(at wall: Int) -> Int? {
    expiration.map { $0 - (issuedAt ?? wall) }
  }

  /// Whether both would sign the same; expiry and source aside.
  func hasSameKeys(as other: Credentials) -> Bool {
    accessKeyID == other.accessKeyID && secretAccessKey == other.secretAccessKey
      && sessionToken == other.sessionToken
  }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String { "credentials from \(source)" }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: [:]) }
}
