import AWS

/// Errors that concern one object alone: the comparison goes on with the others.
enum ObjectTrouble {
  /// - Returns: the way in which the object cannot be read; `nil` for an error that concerns the whole place.
  static func ofOne(_ error: AWSError) -> String? {
    if error.code == "InvalidObjectState" {
      return "is archived and cannot be read before it is restored (\(error))"
    }
    let isKey =
      error.code.rawValue.hasPrefix("KMS") || (error.code == .accessDenied && error.message.contains("kms:"))
    if isKey { return "cannot be decrypted (\(error))" }
    // Too large to be one of ours, say; a redirection is the bucket's.
    let isItsOwn = error.kind == .permanent && (400..<500).contains(error.status ?? 400)
    return isItsOwn ? "cannot be read (\(error))" : nil
  }
}

/// The end of a comparison before all was compared: what was being done, to what, and why it failed.
struct ComparisonFailure: Error, CustomStringConvertible {
  let description: String

  init(_ doing: String, _ key: String, _ error: any Error) {
    let hint = (error as? AWSError)?.hint.map { "; \($0)" } ?? ""
    description = "could not \(doing) \(key): \(error)\(hint)"
  }
}
