/// Why there are no credentials. Shows names and paths, never keys.
public struct CredentialError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// This place has none; others may.
    case absent
    /// The profile asked for by name is in neither file.
    case unknownProfile
    /// Half a pair of keys, or a profile of a kind that is not known here.
    case incomplete
    /// A file is there but cannot be read or understood.
    case unreadable
  }

  public var code: Code
  /// What was wrong and where, for the operator.
  public var description: String

  public init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
