/// An absolute URL of a server: scheme, host, port and the rest. Only what a setting needs; no look-ups.
///
/// Reference: RFC 3986, section 3.
struct ServiceURL: Sendable, Equatable {
  /// In lower case.
  let scheme: String
  /// `user:password` before the `@`, as written.
  let userInfo: String?
  /// Without the brackets of an IPv6 address.
  let host: String
  let port: Int?
  /// From the first slash to the query; empty where the URL ends with its authority.
  let path: String
  /// After the question mark.
  let query: String?
  /// The whole, as given.
  let text: String

  /// - Throws: `Refusal` with a reason that never repeats the URL.
  init(_ text: String, schemes: [String]) throws(Refusal) {
    if text.unicodeScalars.contains(where: { Text.isControl($0) || $0 == " " }) {
      throw Refusal("it has a space or control character")
    }
    let halves = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
    guard halves.count < 2 else { throw Refusal("it has a fragment (#)") }
    let wanted = schemes.map { $0 + "://" }.joined(separator: " or ")
    guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else {
      throw Refusal("it does not begin with \(wanted)")
    }
    let scheme = text[..<colon].lowercased()
    guard schemes.contains(scheme) else { throw Refusal("it does not begin with \(wanted)") }

    let rest = text[colon...].dropFirst(3)
    let authorityEnd = rest.firstIndex { "/?".contains($0) } ?? rest.endIndex
    let authority = rest[..<authorityEnd]
    let at = authority.lastIndex(of: "@")
    self.userInfo = at.map { String(authority[..<$0]) }
    let (host, port) = try Self.hostAndPort(at.map { authority[authority.index(after: $0)...] } ?? authority)
    self.scheme = scheme
    self.host = host
    self.port = port
    let tail = rest[authorityEnd...]
    let mark = tail.firstIndex(of: "?")
    self.path = String(tail[..<(mark ?? tail.endIndex)])
    self.query = mark.map { String(tail[tail.index(after: $0)...]) }
    self.text = text
  }

  private static func hostAndPort(_ text: Substring) throws(Refusal) -> (String, Int?) {
    var host = text
    var portText: Substring?
    if text.first == "[" {
      guard let close = text.firstIndex(of: "]") else { throw Refusal("its [ has no ]") }
      host = text[text.index(after: text.startIndex)..<close]
      let after = text[text.index(after: close)...]
      guard after.isEmpty || after.first == ":" else { throw Refusal("its host is not a name") }
      portText = after.isEmpty ? nil : after.dropFirst()
      guard host.utf8.allSatisfy({ Text.isLetterOrDigit($0) || ":.%".utf8.contains($0) }) else {
        throw Refusal("its host is not an address")
      }
    } else if let colon = text.firstIndex(of: ":") {
      host = text[..<colon]
      portText = text[text.index(after: colon)...]
    }
    guard !host.isEmpty else { throw Refusal("it names no host") }
    if text.first != "[" {
      guard host.utf8.allSatisfy({ Text.isLetterOrDigit($0) || "-._".utf8.contains($0) }) else {
        throw Refusal("its host is not a name")
      }
    }
    guard let portText else { return (String(host), nil) }
    guard Text.isDigits(portText), let port = Int(portText), (1...65535).contains(port) else {
      throw Refusal("its port is not a number from 1 to 65535")
    }
    return (String(host), port)
  }

  /// Any text that was meant as a URL, without what may be a secret in it: the part before an `@`, and the
  /// values of a query, except those of `streams`.
  static func redacted(_ text: String) -> String {
    var shown = Substring(text)
    var query = ""
    if let mark = shown.firstIndex(of: "?") {
      let fields = shown[shown.index(after: mark)...].split(separator: "&", omittingEmptySubsequences: false)
      query = "?" + fields.map(redactedField).joined(separator: "&")
      shown = shown[..<mark]
    }
    guard let slashes = slashes(in: shown) else {
      return redactedAuthority(shown) + query
    }
    return shown[..<slashes] + redactedAuthority(shown[slashes...]) + query
  }

  private static func slashes(in text: Substring) -> Substring.Index? {
    var index = text.startIndex
    while index < text.endIndex {
      if text[index...].hasPrefix("://") { return text.index(index, offsetBy: 3) }
      index = text.index(after: index)
    }
    return nil
  }

  // A password may hold a slash that should have been escaped, so everything up to the last @ goes.
  private static func redactedAuthority(_ text: Substring) -> String {
    guard let at = text.lastIndex(of: "@") else { return String(text) }
    return "***" + text[at...]
  }

  private static func redactedField(_ field: Substring) -> String {
    guard let equals = field.firstIndex(of: "="), field[..<equals] != "streams" else { return String(field) }
    return field[...equals] + "***"
  }
}

extension Rule where Value == ServiceURL {
  /// A server to connect to. What would have to carry credentials is refused: they belong elsewhere, and
  /// nothing here would send them.
  static func url(_ schemes: [String], allowsQuery: Bool = true) -> Rule {
    let beginnings = schemes.map { $0 + "://" }.joined(separator: " or ")
    return Rule(
      allowed: "a URL that begins with \(beginnings) and names a host", placeholder: "url",
      parse: { text throws(Refusal) in
        let url = try ServiceURL(text, schemes: schemes)
        guard url.userInfo == nil else { throw Refusal("it must not have a user name or password") }
        guard allowsQuery || url.query == nil else { throw Refusal("it must not have a query") }
        guard text.utf8.allSatisfy({ $0 < 0x7F }) else { throw Refusal("it must be ASCII") }
        return url
      },
      shown: ServiceURL.redacted)
  }
}
