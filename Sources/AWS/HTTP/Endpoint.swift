/// Scheme, host, port and a leading path, to which a request's own path is appended.
package struct Endpoint: Sendable, Hashable, CustomStringConvertible {
  package enum Scheme: String, Sendable {
    case http, https
    var defaultPort: Int { self == .http ? 80 : 443 }
  }

  package var scheme: Scheme
  /// A name or address, IPv6 in brackets.
  package var host: String
  /// nil is the scheme's own.
  package var port: Int?
  /// Percent-encoded, empty or starting with `/`, without a slash at its end.
  package var basePath: String

  package init(scheme: Scheme = .https, host: String, port: Int? = nil, basePath: String = "") {
    self.scheme = scheme
    self.host = host
    self.port = port == scheme.defaultPort ? nil : port
    self.basePath = basePath
  }

  /// Reads `http[s]://host[:port][/path]`; nil for anything else, user names and queries included.
  ///
  /// Reference: RFC 3986 §3.
  package init?(_ url: String) {
    guard let colon = url.range(ofText: "://"),
      let scheme = Scheme(rawValue: url[..<colon.lowerBound].lowercased())
    else { return nil }
    let rest = url[colon.upperBound...]
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    let authority = rest[..<slash]
    var path = rest[slash...]
    while path.hasSuffix("/") { path.removeLast() }

    var host = authority
    var port: Int?
    if let mark = authority.lastIndex(of: ":"), !authority[mark...].contains("]") {
      host = authority[..<mark]
      guard let number = Int(authority[authority.index(after: mark)...]), (1...65_535).contains(number) else {
        return nil
      }
      port = number
    }
    guard Self.isHost(host), path.utf8.allSatisfy(Self.isPathByte) else {
      return nil
    }
    self.init(scheme: scheme, host: host.lowercased(), port: port, basePath: String(path))
  }

  /// The `Host` header: the port appears when it is not the scheme's own.
  package var authority: String {
    port.map { "\(host):\($0)" } ?? host
  }

  package var description: String { "\(scheme.rawValue)://\(authority)\(basePath)" }

  /// No byte that would end the host in a URL: a region or bucket that is part of the name may hold anything.
  static func isHost(_ text: some StringProtocol) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy(isHostByte)
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch UnicodeScalar(byte) {
    case "a"..."z", "A"..."Z", "0"..."9", "-", ".", "_", "[", "]", ":": true
    default: false
    }
  }

  private static func isPathByte(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "?") && byte != UInt8(ascii: "#")
  }
}

extension String {
  fileprivate func range(ofText text: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
      start = index(after: start)
    }
    return nil
  }
}
