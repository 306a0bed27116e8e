/// An absolute URL of a server, taken apart and checked: scheme, host, port, path and query. No look-ups.
///
/// Reference: RFC 3986, section 3
package struct ServerURL: Equatable, Sendable {
  /// The reason why a text is no such URL.
  package enum Problem: Error, Equatable, Sendable {
    case scheme, notASCII, fragment, userInfo, bracket, afterBracket, manyColons, noHost, host, port
  }

  /// In lower case.
  package let scheme: String
  /// As written, without the brackets of an IPv6 address.
  package let host: String
  /// Nil if the URL names none.
  package let port: Int?
  /// As written: empty, or from the first slash on.
  package let path: String
  /// Behind the question mark, as written; nil without one.
  package let query: String?

  /// - Parameter schemes: those that are taken, in lower case.
  package init(_ text: String, schemes: Set<String>) throws(Problem) {
    guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { throw .scheme }
    scheme = text[..<colon].lowercased()
    guard schemes.contains(scheme) else { throw .scheme }
    let rest = text[colon...].dropFirst(3)
    guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw .notASCII }
    guard !rest.contains("#") else { throw .fragment }
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    guard !rest[..<end].contains("@") else { throw .userInfo }
    (host, port) = try Self.hostAndPort(rest[..<end])
    let target = rest[end...]
    let mark = target.firstIndex(of: "?") ?? target.endIndex
    path = String(target[..<mark])
    query = mark == target.endIndex ? nil : String(target[target.index(after: mark)...])
  }

  /// The host as a URL and a `Host` header write it: an IPv6 address in brackets.
  package var bracketedHost: String { host.contains(":") ? "[\(host)]" : host }

  /// Whether the host is a name rather than an address. The last part of an IPv4 address is a number, that of a
  /// name never.
  package var isHostName: Bool {
    !host.contains(":") && host.split(separator: ".").last?.utf8.allSatisfy(Self.isDigit) != true
  }

  private static func hostAndPort(_ authority: Substring) throws(Problem) -> (String, Int?) {
    let host: Substring
    let behind: Substring
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { throw .bracket }
      host = authority[..<end].dropFirst()
      behind = authority[end...].dropFirst()
      guard behind.isEmpty || behind.hasPrefix(":") else { throw .afterBracket }
      guard host.utf8.allSatisfy({ isLetterOrDigit($0) || ":.%".utf8.contains($0) }) else { throw .host }
    } else {
      host = authority.prefix { $0 != ":" }
      behind = authority[host.endIndex...]
      guard !behind.dropFirst().contains(":") else { throw .manyColons }
      guard host.utf8.allSatisfy({ isLetterOrDigit($0) || "-._".utf8.contains($0) }) else { throw .host }
    }
    guard !host.isEmpty else { throw .noHost }
    guard !behind.isEmpty else { return (String(host), nil) }
    let digits = behind.dropFirst()
    guard digits.utf8.allSatisfy(isDigit), let port = Int(digits), (1...65_535).contains(port) else {
      throw .port
    }
    return (String(host), port)
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }
}
