/// What a connection asks the server for: the target of its request and, where the list of streams is too long
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
    let list = path + "?streams=" + streams.map(Self.percentEncoded).joined(separator: "/")
    let whole = endpoint.query.isEmpty ? list : "\(list)&\(endpoint.query)"
    if whole.utf8.count <= Self.maximumBytes {
      text = whole
      requests = []
    } else {
      text = endpoint.query.isEmpty ? path : "\(path)?\(endpoint.query)"
      requests = SubscribeRequest.covering(streams)
    }
  }

  /// Everything but what a query may hold as it is. `@` and `!`, which stream names are full of, may stay.
  ///
  /// Reference: RFC 3986, section 3.4
  private static func percentEncoded(_ name: String) -> String {
    var result = ""
    for byte in name.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"), UInt8(ascii: "@"), UInt8(ascii: "!"):
        result.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        result += byte < 16 ? "%0\(digits)" : "%\(digits)"
      }
    }
    return result
  }

  private static func rawStream(in target: String) -> String? {
    let path = target.prefix { $0 != "?" }
    guard let start = path.firstRange(of: "/ws/"), let name = percentDecoded(path[start.upperBound...]),
      !name.isEmpty, !name.contains("/")
    else { return nil }
    return name
  }

  private static func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"),
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
