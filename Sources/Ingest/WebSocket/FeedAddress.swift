/// Where a feed connects to: the URL of a WebSocket, taken apart.
///
/// Reference: RFC 6455, section 3; RFC 3986
public struct FeedAddress: Equatable, Sendable {
  /// Streams that one connection may have.
  public static let maximumStreams = 1024

  public let isSecure: Bool
  /// Without the brackets of an IPv6 address.
  public let host: String
  public let port: Int
  /// Path and query as sent to the server.
  public let target: String
  /// The stream that the path names, if it names exactly one for events alone (`/ws/btcusdt@trade`).
  public let rawStream: String?

  /// The production and test exchange of Binance.
  private static let production = "wss://stream.binance.com:9443"
  private static let test = "wss://stream.testnet.binance.vision"

  /// Makes the address for a list of streams.
  ///
  /// - Parameters:
  ///   - url: `ws://` or `wss://`; a path of its own is kept as it is. Nil means Binance's.
  ///   - testnet: which of Binance's.
  /// - Throws: `FeedError` (`badAddress`, `noStreams`, `tooManyStreams`).
  public init(url: String?, testnet: Bool, streams: [String]) throws(FeedError) {
    guard !streams.isEmpty else { throw FeedError(.noStreams, "the list of streams is empty") }
    guard streams.count <= Self.maximumStreams else {
      throw FeedError(
        .tooManyStreams, "\(streams.count) streams; a connection takes at most \(Self.maximumStreams)")
    }
    let text = url ?? (testnet ? Self.test : Self.production)
    let parts = try Self.split(text)
    isSecure = parts.isSecure
    (host, port) = try Self.hostAndPort(parts.authority, isSecure: parts.isSecure)
    if parts.target.isEmpty || parts.target == "/" {
      target = "/stream?streams=" + streams.map(Self.percentEncoded).joined(separator: "/")
    } else {
      target = parts.target.hasPrefix("?") ? "/" + parts.target : parts.target
    }
    rawStream = Self.rawStream(in: target)
  }

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
    guard path.hasPrefix("/ws/") else { return nil }
    let name = percentDecoded(path.dropFirst(4))
    // An array stream names no single stream: each element says its own.
    guard let name, !name.isEmpty, !name.contains("/"), !name.hasPrefix("!") else { return nil }
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

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
