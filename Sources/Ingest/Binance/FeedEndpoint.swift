/// The server that a feed connects to: the URL of a WebSocket, taken apart.
///
/// Reference: RFC 6455, section 3; RFC 3986
package struct FeedEndpoint: Equatable, Sendable {
  package let isSecure: Bool
  /// Without the brackets of an IPv6 address.
  package let host: String
  package let port: Int
  /// Path and query, if the URL has a path of its own: then they are asked for as they are, and the list of
  /// streams only says what is missing in a gap.
  package let ownTarget: String?
  /// What goes before the path that asks for streams: of a server that has several entrances.
  let prefix: String
  /// The query of a URL without a path of its own, such as `timeUnit=MICROSECOND`: it goes with every list of streams.
  let query: String

  /// - Parameters:
  ///   - url: `ws://` or `wss://`. Nil means Binance's.
  ///   - testnet: which of Binance's.
  /// - Throws: `FeedError` (`badAddress`).
  package init(url: String?, testnet: Bool) throws(FeedError) {
    let parts = try Self.split(url ?? (testnet ? BinanceServers.test : BinanceServers.production))
    isSecure = parts.isSecure
    (host, port) = try Self.hostAndPort(parts.authority, isSecure: parts.isSecure)
    let path = parts.target.prefix { $0 != "?" }
    query = String(parts.target.dropFirst(path.count + 1))
    let entrance = path.hasSuffix("/") ? path.dropLast() : path
    let isOwn = !entrance.isEmpty && !BinanceServers.entrances.contains(entrance)
    prefix = isOwn ? "" : String(entrance)
    ownTarget = isOwn ? parts.target : nil
  }

  /// Streams that one connection to it takes: of a path of its own, however many the list names.
  func capacity(_ limits: ExchangeLimits) -> Int { ownTarget == nil ? limits.streamsPerConnection : .max }

  /// The value of the Host header.
  var hostHeader: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
  }

  /// Whether the host is a name, which TLS can ask for (SNI); it must not for an address.
  var isHostName: Bool {
    !host.contains(":") && host.split(separator: ".").last?.allSatisfy(\.isASCIIDigit) != true
  }

  private static func split(
    _ text: String
  ) throws(FeedError) -> (isSecure: Bool, authority: Substring, target: String) {
    guard let scheme = text.firstRange(of: "://") else {
      throw bad(text, "it must begin with ws:// or wss://")
    }
    let isSecure: Bool
    switch text[..<scheme.lowerBound].lowercased() {
    case "wss": isSecure = true
    case "ws": isSecure = false
    default: throw bad(text, "it must begin with ws:// or wss://")
    }
    let rest = text[scheme.upperBound...]
    guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw bad(text, "it must be ASCII without spaces")
    }
    guard !rest.contains("#") else { throw bad(text, "it must not have a fragment") }
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    guard !rest[..<end].contains("@") else {
      // Not quoted: it may hold a password.
      throw FeedError(.badAddress, "the WebSocket URL must not have a user name or password")
    }
    return (isSecure, rest[..<end], String(rest[end...]))
  }

  private static func hostAndPort(
    _ authority: Substring, isSecure: Bool
  ) throws(FeedError) -> (String, Int) {
    let host: Substring
    var portText: Substring?
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { throw bad(authority, "']' is missing") }
      host = authority[authority.index(after: authority.startIndex)..<end]
      let rest = authority[authority.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { throw bad(authority, "no port after ']'") }
      if !rest.isEmpty { portText = rest.dropFirst() }
    } else {
      let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count <= 2 else { throw bad(authority, "an IPv6 address needs brackets") }
      host = parts.first ?? ""
      if parts.count == 2 { portText = parts[1] }
    }
    guard !host.isEmpty else { throw bad(authority, "the host is missing") }
    guard let portText else { return (String(host), isSecure ? 443 : 80) }
    guard let port = Int(portText), (1...65535).contains(port), portText.allSatisfy(\.isASCIIDigit) else {
      throw bad(authority, "the port must be 1 to 65535")
    }
    return (String(host), port)
  }

  private static func bad(_ text: some StringProtocol, _ why: String) -> FeedError {
    FeedError(.badAddress, "\(text.prefix(200)) is no WebSocket URL: \(why)")
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
