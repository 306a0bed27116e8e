/// An absolute URL of a server, taken apart strictly: scheme, host, port and the rest. Nothing is looked up.
///
/// Reference: RFC 3986, section 3.
package struct URLText: Sendable, Equatable {
  /// In lower case.
  package let scheme: String
  /// `user:password` before the `@`, as written.
  package let userInfo: String?
  /// As written, without the brackets of an IPv6 address.
  package let host: String
  package let port: Int?
  /// From the first slash to the query; empty where the URL ends with its authority.
  package let path: String
  /// After the question mark.
  package let query: String?
  /// The whole, as given.
  package let text: String

  /// A text that is no such URL.
  package struct Mistake: Error, Equatable, Sendable {
    /// Completes "…, because"; it never repeats the URL, which may hold a password.
    package let reason: String

    init(_ reason: String) { self.reason = reason }
  }

  /// - Parameter schemes: those that are allowed, in lower case.
  package init(_ text: String, schemes: [String]) throws(Mistake) {
    guard text.unicodeScalars.allSatisfy(Self.mayBeWritten) else {
      throw Mistake("it has a space or control character")
    }
    guard !text.contains("#") else { throw Mistake("it has a fragment (#)") }
    let wanted = schemes.map { $0 + "://" }.joined(separator: " or ")
    guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://"),
      schemes.contains(text[..<colon].lowercased())
    else { throw Mistake("it does not begin with \(wanted)") }

    let rest = text[colon...].dropFirst(3)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let at = authority.lastIndex(of: "@")
    (host, port) = try Self.hostAndPort(at.map { authority[authority.index(after: $0)...] } ?? authority)
    scheme = text[..<colon].lowercased()
    userInfo = at.map { String(authority[..<$0]) }
    let tail = rest[authority.endIndex...]
    let mark = tail.firstIndex(of: "?")
    path = String(tail[..<(mark ?? tail.endIndex)])
    query = mark.map { String(tail[tail.index(after: $0)...]) }
    self.text = text
  }

  private static func mayBeWritten(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: false
    default: scalar != " "
    }
  }

  private static func hostAndPort(_ text: Substring) throws(Mistake) -> (String, Int?) {
    let host: Substring
    let after: Substring
    if text.first == "[" {
      guard let close = text.firstIndex(of: "]") else { throw Mistake("its [ has no ]") }
      host = text[..<close].dropFirst()
      after = text[close...].dropFirst()
      guard after.isEmpty || after.first == ":" else { throw Mistake("its host is not a name") }
      guard host.utf8.allSatisfy({ isLetterOrDigit($0) || ":.%".utf8.contains($0) }),
        host.isEmpty || host.contains(":")
      else {
        throw Mistake("its host is not an address")
      }
    } else {
      host = text.prefix { $0 != ":" }
      after = text[host.endIndex...]
    }
    guard !host.isEmpty else { throw Mistake("it names no host") }
    guard text.first == "[" || host.utf8.allSatisfy({ isLetterOrDigit($0) || "-._".utf8.contains($0) }) else {
      throw Mistake("its host is not a name")
    }
    guard !after.isEmpty else { return (String(host), nil) }
    guard let port = DecimalDigits.parse(after.dropFirst(), upTo: 65_535), port > 0 else {
      throw Mistake("its port is not a number from 1 to 65535")
    }
    return (String(host), port)
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      true
    default: false
    }
  }
}

extension URLText {
  /// Any text that was meant as a URL, without what may be a secret in it: the part before an `@`, and the
  /// values of a query, except those of `streams`.
  package static func redacted(_ text: String) -> String {
    let shown = text.prefix { $0 != "?" }
    var query = ""
    if shown.endIndex < text.endIndex {
      let fields = text[shown.endIndex...].dropFirst().split(separator: "&", omittingEmptySubsequences: false)
      query = "?" + fields.map(redactedField).joined(separator: "&")
    }
    let authority = shown.firstRange(of: "://")?.upperBound ?? shown.startIndex
    return shown[..<authority] + redactedAuthority(shown[authority...]) + query
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
