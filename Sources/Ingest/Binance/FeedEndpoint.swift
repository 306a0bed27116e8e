import Base

/// The server that a feed connects to: the URL of a WebSocket, taken apart.
///
/// Reference: RFC 6455, section 3
package struct FeedEndpoint: Equatable, Sendable {
  package let isSecure: Bool
  /// Without the brackets of an IPv6 address.
  package let host: String
  package let port: Int
  /// Path and query, if the URL has a path of its own: then they are asked for as they are, and the list of
  /// streams only says what is missing in a gap.
  package let ownTarget: String?
  /// The beginning of the path that asks for streams, of a server that has several entrances.
  let prefix: String
  /// The query of a URL without a path of its own, such as `timeUnit=MICROSECOND`: it goes with every list of streams.
  let query: String
  /// The value of the Host header.
  let hostHeader: String
  /// Whether the host is a name, which TLS can ask for (SNI); it must not for an address.
  let isHostName: Bool

  /// - Parameters:
  ///   - url: `ws://` or `wss://`. Nil means Binance's.
  ///   - testnet: which of Binance's.
  /// - Throws: `FeedError` (`badAddress`).
  package init(url text: String?, testnet: Bool) throws(FeedError) {
    let text = text ?? (testnet ? BinanceServers.test : BinanceServers.production)
    let url: ServerURL
    do { url = try ServerURL(text, schemes: ["ws", "wss"]) } catch { throw Self.error(text, error) }
    isSecure = url.scheme == "wss"
    host = url.host
    port = url.port ?? (isSecure ? 443 : 80)
    hostHeader = port == (isSecure ? 443 : 80) ? url.bracketedHost : "\(url.bracketedHost):\(port)"
    isHostName = url.isHostName
    query = url.query ?? ""
    let entrance = url.path.hasSuffix("/") ? url.path.dropLast() : url.path[...]
    let isOwn = !entrance.isEmpty && !BinanceServers.entrances.contains(entrance)
    prefix = isOwn ? "" : String(entrance)
    ownTarget = isOwn ? url.path + (url.query.map { "?" + $0 } ?? "") : nil
  }

  /// Streams that one connection to it takes: of a path of its own, however many the list names.
  func capacity(_ limits: ExchangeLimits) -> Int { ownTarget == nil ? limits.streamsPerConnection : .max }

  private static func error(_ text: String, _ problem: ServerURL.Problem) -> FeedError {
    let authority = (text.firstRange(of: "://").map { text[$0.upperBound...] } ?? text[...])
      .prefix { $0 != "/" && $0 != "?" }
    return switch problem {
    case .scheme: bad(text, "it must begin with ws:// or wss://")
    case .notASCII: bad(text, "it must be ASCII without spaces")
    case .fragment: bad(text, "it must not have a fragment")
    // Not quoted: it may hold a password.
    case .userInfo: FeedError(.badAddress, "the WebSocket URL must not have a user name or password")
    case .bracket: bad(authority, "']' is missing")
    case .afterBracket: bad(authority, "no port after ']'")
    case .manyColons: bad(authority, "an IPv6 address needs brackets")
    case .noHost: bad(authority, "the host is missing")
    case .host: bad(authority, "the host is neither a name nor an address")
    case .port: bad(authority, "the port must be 1 to 65535")
    }
  }

  private static func bad(_ text: some StringProtocol, _ why: String) -> FeedError {
    FeedError(.badAddress, "\(text.prefix(200)) is no WebSocket URL: \(why)")
  }
}
