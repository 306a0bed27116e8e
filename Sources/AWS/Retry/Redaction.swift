/// Takes secrets out of words that somebody else has written.
///
/// No service is known to quote them, but a log is no place to find out.
enum Redaction {
  /// A shorter one is no secret, but a part of many words.
  private static let shortest = 8
  /// One of this length and longer is no part of a word by chance.
  private static let certain = 16

  static func redacted(_ message: String, _ secrets: [String?]) -> String {
    var message = message
    for secret in secrets {
      guard let secret, secret.utf8.count >= shortest else { continue }
      message = replacing(secret, in: message)
    }
    return message
  }

  private static func replacing(_ secret: String, in message: String) -> String {
    let isCertain = secret.utf8.count >= certain
    var result = ""
    var rest = message[...]
    while let found = rest.firstRange(of: secret) {
      let before = rest[..<found.lowerBound].last ?? result.last
      let isWhole = !isPart(before) && !isPart(rest[found.upperBound...].first)
      result += rest[..<found.lowerBound]
      result += isCertain || isWhole ? "<secret>" : secret
      rest = rest[found.upperBound...]
    }
    return result + rest
  }

  /// Whether a character next to a word belongs to it.
  private static func isPart(_ character: Character?) -> Bool {
    character.map { $0.isLetter || $0.isNumber || "/+=_-".contains($0) } ?? false
  }
}
