/// A place that credentials come from. Asked anew each time; `CredentialCache` remembers.
package protocol CredentialProvider: Sendable {
  /// Throws `CredentialError`: `Code.absent` when this place has nothing to say and the next of a chain may,
  /// anything else when it should have had something.
  func credentials() async throws -> Credentials
}
