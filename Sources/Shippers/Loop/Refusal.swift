import AWS

/// The end of a command's work: what was asked for was refused as often as it pays to ask.
package struct Refusal: Error, CustomStringConvertible {
  package let doing: String
  package let key: String
  package let error: AWSError

  /// The number of times in a row that a refusal, or a missing bucket or table, is met before it counts: keys are
  /// read anew meanwhile.
  package static let patience = 5

  /// Whether an error's text names the object of this key already, as `s3://bucket/key: …`.
  static func isNamed(_ key: String, in error: String) -> Bool { error.contains("/\(key): ") }

  /// Safe for logs: what could not be done, to what, why, and what to do.
  package var description: String {
    let error = "\(error)"
    let object = Self.isNamed(key, in: error) ? "" : " \(key)"
    return "could not \(doing)\(object): \(error)" + (self.error.hint.map { "; \($0)" } ?? "")
  }
}
