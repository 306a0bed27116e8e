import Base

/// The server that a feed connects to: the URL of a WebSocket, taken apart.
///
/// Reference: RFC 6455, section 3
package struct FeedEndpoint: Equatable, Sendable {
  package let isSecure: Bool
  /// Without the brackets of an IPv6 address.
  package let host: String
  package let port: Int
  /// Path and query, if the URL names streams itself or has a path of another kind: then they are asked for as they
  /// are, and the list of streams only says what is missing in a gap.
  package let ownTarget: String?
  /// The path before `/stream`, where the list of streams is asked for.
  let prefix: String
  /// The query of a URL that names no streams, such as `timeUnit=MICROSECOND`: it goes with every list of streams.
  let query: String
  /// The value of the Host header.
  package let hostHeader: String
  /// True if the host is a name, which TLS can ask for (SNI); it must not for an address.
  let isHostName: Bool

  /// - Parameters:
  ///   - url: `ws://` or `wss://`. Nil means Binance's.
  ///   - testnet: which of Binance's.
  /// - Throws: `FeedError` (`badAddress`).
  package init(url text: String?, testnet: Bool) throws(FeedError) {
    let text = text ?? (testnet ? BinanceServers.test : BinanceServers.production)
    let url = try Self.parts(of: text)
    isSecure = url.scheme == "wss"
    host = url.host
    port = url.port ?? (isSecure ? 443 : 80)
    let name = host.contains(":") ? "[\(host)]" : host
    hostHeader = port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    // The last part of an IPv4 address is a number, that of a name never.
    isHostName = !host.contains(":") && host.split(separator: ".").last?.allSatisfy(\.isWholeNumber) != true
    let fields = (url.query ?? "").split(separator: "&", omittingEmptySubsequences: false)
    let namesStreams = fields.contains { $0.hasPrefix("streams=") && $0 != "streams=" }
    if let (base, isWhole) = BinanceServers.base(of: url.path), isWhole || !namesStreams {
      prefix = String(base)
      query = fields.filter { $0 != "streams=" && $0 != "streams" }.joined(separator: "&")
      ownTarget = nil
    } else {
      prefix = ""
      query = ""
      ownTarget = url.path + (url.query.map { "?" + $0 } ?? "")
    }
  }

  /// The path and query that connections ask for, without what may be a secret: `/market/stream?streams=…`.
  package var shownTarget: String {
    guard let ownTarget else { return prefix + "/stream?streams=…" }
    let path = ownTarget.prefix { $0 != "?" }
    return path + URLText.redacted(String(ownTarget[path.endIndex...]))
  }

  /// The URL that connections ask for, without what may be a secret.
  package var shownURL: String { "\(isSecure ? "wss" : "ws")://\(hostHeader)\(shownTarget)" }

  /// Streams that one connection to it takes: of a path of its own, however many the list names.
  func capacity(_ limits: ExchangeLimits) -> Int { ownTarget == nil ? limits.streamsPerConnection : .max }

  private static func parts(of text: String) throws(FeedError) -> URLText {
    let url: URLText
    do { url = try URLText(text, schemes: ["ws", "wss"]) } catch { throw bad(text, error.reason) }
    // Not quoted: it may hold a password.
    if url.userInfo != nil {
      throw FeedError(.badAddress, "the WebSocket URL must not have a user name or password")
    }
    guard text.utf8.allSatisfy({ $0 < 0x7F }) else { throw bad(text, "it must be ASCII") }
    return url
  }

  private static func bad(_ text: String, _ why: String) -> FeedError {
    FeedError(.badAddress, "\(URLText.redacted(text).prefix(200)) is no WebSocket URL: \(why)")
  }
}
