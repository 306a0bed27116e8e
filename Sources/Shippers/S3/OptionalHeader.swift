import AWS

/// A header of an upload that a store may not know. Nothing is lost without it: each body's hash is part of the
/// signature, and a key is free when it has been looked at.
enum OptionalHeader: String, CaseIterable, Sendable {
  // In the order in which they are tried where a refusal names none: the condition is worth more.
  case checksum = "x-amz-checksum-sha256"
  case condition = "If-None-Match"

  /// Whether a refused upload may be a matter of such a header: 400 and 501 with words that are none of those with a
  /// meaning of their own.
  static func mayBeRefused(_ error: AWSError) -> Bool {
    switch error.status {
    case 501: true
    // An answer without a code counts as refused credentials elsewhere.
    case 400: error.kind == .permanent || error.code == "BadRequest"
    default: false
    }
  }

  /// The sets of headers to go without, one after the other: each alone, those that the refusal names first, then all.
  static func trials(_ sent: Set<OptionalHeader>, _ error: AWSError) -> [Set<OptionalHeader>] {
    let words = error.message.lowercased()
    let each = allCases.filter(sent.contains)
    let named = each.filter { words.contains($0.rawValue.lowercased()) }
    let singles = (named + each.filter { !named.contains($0) }).map { Set([$0]) }
    return singles.count > 1 ? singles + [sent] : singles
  }
}
