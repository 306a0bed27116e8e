import Base

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
    guard let parts = try? URLText(url, schemes: ["http", "https"]), parts.query == nil,
      let server = Endpoint(serverOf: parts)
    else { return nil }
    var path = parts.path[...]
    while path.hasSuffix("/") { path.removeLast() }
    self = server
    basePath = String(path)
  }

  /// Scheme, host and port of a URL; nil if it has a user name, or what a path or query may not hold.
  package init?(serverOf url: URLText) {
    guard let scheme = Scheme(rawValue: url.scheme), url.userInfo == nil,
      url.text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { return nil }
    let host = url.host.contains(":") ? "[\(url.host)]" : url.host
    guard Self.isHost(host) else { return nil }
    self.init(scheme: scheme, host: host.lowercased(), port: url.port)
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
}
