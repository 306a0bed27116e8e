import Base

/// The streams as a connection asks for them: the target of its request and, where the list of streams is too long
/// for a URL, the requests that subscribe to them afterwards.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
struct FeedTarget: Equatable, Sendable {
  /// Bytes of a target, path and query; many servers and proxies refuse much longer ones.
  static let maximumBytes = 4096

  /// Path and query as sent to the server.
  let text: String
  /// The stream that the path names, if it names exactly one for events alone (`/ws/btcusdt@trade`).
  let rawStream: String?
  /// Sent when the WebSocket is open, each answered by the server.
  let requests: [SubscribeRequest]

  init(endpoint: FeedEndpoint, streams: [String]) {
    if let own = endpoint.ownTarget {
      text = own
      rawStream = Self.rawStream(in: own)
      requests = []
      return
    }
    rawStream = nil
    let path = endpoint.prefix + "/stream"
    let list = path + "?streams=" + streams.map(Self.encoded).joined(separator: "/")
    let whole = endpoint.query.isEmpty ? list : "\(list)&\(endpoint.query)"
    if whole.utf8.count <= Self.maximumBytes {
      text = whole
      requests = []
    } else {
      text = endpoint.query.isEmpty ? path : "\(path)?\(endpoint.query)"
      requests = SubscribeRequest.covering(streams)
    }
  }

  private static func rawStream(in target: String) -> String? {
    let path = target.prefix { $0 != "?" }
    guard let start = path.firstRange(of: "/ws/"),
      let name = String(
        validating: PercentEncoding.decoded(Array(path[start.upperBound...].utf8)[...]), as: UTF8.self),
      !name.isEmpty, !name.contains("/")
    else { return nil }
    return name
  }

  /// `@` and `!`, which stream names are full of, may stay in a query.
  ///
  /// Reference: RFC 3986, section 3.4
  private static func encoded(_ name: String) -> String { PercentEncoding.text(name, keeping: "@!") }
}
