/// Why there are no credentials. Shows names and paths, never keys.
package struct CredentialError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Code: String, Sendable {
    /// This place has none; others may.
    case absent
    /// The profile asked for by name is in neither file.
    case unknownProfile
    /// Half a pair of keys, or a profile whose settings do not fit together.
    case incomplete
    /// A file is there but cannot be read or understood.
    case unreadable
    /// A file is there that this process may not read.
    case denied
    /// The place is there, but gave no keys this time: it may later.
    case unavailable
  }

  package var code: Code
  /// The trouble and its place, for the operator.
  package var description: String

  package init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
