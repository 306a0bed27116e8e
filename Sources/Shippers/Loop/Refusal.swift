import AWS

/// The end of a command's work: what was asked for was refused as often as it pays to ask.
package struct Refusal: Error, CustomStringConvertible {
  package let doing: String
  package let key: String
  package let error: AWSError

  /// The number of times in a row that a refusal, or a missing bucket or table, is met before it counts: keys are
  /// read anew meanwhile.
  package static let patience = 5

  /// Safe for logs: what could not be done, to what, why, and what to do.
  package var description: String {
    "could not \(doing) \(key): \(error)" + (error.hint.map { "; \($0)" } ?? "")
  }
}
