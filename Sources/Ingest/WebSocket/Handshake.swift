import Base
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// The client's side of opening a WebSocket: the request, and the check of the answer.
///
/// Written out rather than taken from the HTTP codec: frames that arrive in the same segment as the answer stay
/// in the buffer, and another answer than the upgrade can be reported with its body.
///
/// Reference: RFC 6455, section 4.1
struct Handshake {
  enum Progress: Equatable {
    case incomplete
    /// The connection is a WebSocket from here on.
    case upgraded
  }

  private enum State {
    case head
    case failed(FailedUpgrade)
  }

  private let host: String
  private let target: String
  private let key: String
  private var state = State.head
  private var interimAnswers = 0

  static let maximumHead = 16 * 1024
  /// Answers such as 103 that a server may send before the one that counts.
  static let maximumInterimAnswers = 10

  /// - Parameters:
  ///   - host: the value of the Host header.
  ///   - target: path and query.
  ///   - key: 16 random bytes in Base64, other ones for each connection.
  init(host: String, target: String, key: String = NIOWebSocketClientUpgrader.randomRequestKey()) {
    self.host = host
    self.target = target
    self.key = key
  }

  /// Offers no extensions: permessage-deflate is not spoken here.
  var request: String {
    """
    GET \(target) HTTP/1.1\r
    Host: \(host)\r
    Upgrade: websocket\r
    Connection: Upgrade\r
    Sec-WebSocket-Key: \(key)\r
    Sec-WebSocket-Version: 13\r
    User-Agent: tickwal\r
    \r

    """
  }

  /// Looks at all that has been received; what belongs to the answer is taken out of the buffer.
  mutating func receive(_ buffer: inout ByteBuffer) throws(FeedError) -> Progress {
    while true {
      switch state {
      case .head:
        guard let head = try takeHead(&buffer) else { return .incomplete }
        if head.status == .switchingProtocols {
          try check(head)
          return .upgraded
        }
        // Reference: RFC 9110, section 15.2
        if head.status.code < 200 {
          interimAnswers += 1
          guard interimAnswers <= Self.maximumInterimAnswers else {
            throw FeedError(
              .badUpgrade,
              "the server sent more than \(Self.maximumInterimAnswers) answers before the one that counts")
          }
          continue
        }
        state = .failed(FailedUpgrade(head))
      case .failed(let answer):
        guard answer.isComplete(buffer) else { return .incomplete }
        throw answer.error(buffer)
      }
    }
  }

  /// The error when the connection ends before the handshake is complete.
  mutating func end(_ buffer: inout ByteBuffer) -> FeedError {
    switch state {
    case .head: FeedError(.badUpgrade, "the server closed the connection without a complete answer")
    case .failed(let answer): answer.error(buffer)
    }
  }

  private mutating func takeHead(_ buffer: inout ByteBuffer) throws(FeedError) -> HTTPResponseHead? {
    try checkBeginning(buffer.readableBytesView)
    guard let length = Self.headLength(buffer.readableBytesView) else {
      if buffer.readableBytes > Self.maximumHead {
        throw FeedError(
          .badUpgrade, "the head of the server's answer is larger than \(Figures.bytes(Self.maximumHead))")
      }
      return nil
    }
    guard let text = buffer.readString(length: length) else { return nil }
    var lines = text.split(separator: "\r\n").makeIterator()
    guard let status = lines.next(), let code = Self.statusCode(status) else {
      throw FeedError(
        .badUpgrade, "the server's answer is not HTTP: \(Text.oneLine(bytes: text.utf8, limit: 80))")
    }
    var headers = HTTPHeaders()
    while let line = lines.next() {
      // The collection of headers traps on a name that is not ASCII.
      guard let colon = line.firstIndex(of: ":"), colon > line.startIndex,
        line[..<colon].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
      else {
        throw FeedError(
          .badUpgrade, "the server's answer has a broken header: \(Text.oneLine(bytes: line.utf8, limit: 80))"
        )
      }
      headers.add(name: String(line[..<colon]), value: line[line.index(after: colon)...].trimmed)
    }
    return HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: code), headers: headers)
  }

  /// Refuses another protocol at its first bytes: it may never say what would be the end of a head.
  private func checkBeginning(_ bytes: ByteBufferView) throws(FeedError) {
    guard !zip(bytes, "HTTP/1.".utf8).allSatisfy(==) else { return }
    // Records of TLS: an alert, or an answer to what looked like its beginning.
    if let first = bytes.first, first == 0x15 || first == 0x16 {
      throw FeedError(.badUpgrade, "the server speaks TLS, so the URL must begin with wss://")
    }
    throw FeedError(.badUpgrade, "the server's answer is not HTTP: \(Text.oneLine(bytes: bytes, limit: 80))")
  }

  /// Up to and with the empty line.
  private static func headLength(_ bytes: ByteBufferView) -> Int? {
    var matched = 0
    for (count, byte) in bytes.enumerated() {
      let wanted: UInt8 = matched % 2 == 0 ? 13 : 10
      matched = byte == wanted ? matched + 1 : (byte == 13 ? 1 : 0)
      if matched == 4 { return count + 1 }
    }
    return nil
  }

  private static func statusCode(_ line: Substring) -> Int? {
    let parts = line.split(separator: " ", maxSplits: 2)
    guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), parts[1].utf8.count == 3,
      let code = DecimalDigits.parse(parts[1], upTo: 599), code >= 100
    else { return nil }
    return code
  }

  private func check(_ head: HTTPResponseHead) throws(FeedError) {
    guard head.headers[canonicalForm: "Upgrade"].contains(where: { $0.lowercased() == "websocket" }),
      head.headers[canonicalForm: "Connection"].contains(where: { $0.lowercased() == "upgrade" })
    else { throw FeedError(.badUpgrade, "the server's answer 101 does not upgrade to a WebSocket") }
    // One without a value names nothing.
    guard head.headers["Sec-WebSocket-Extensions"].allSatisfy(\.isEmpty),
      head.headers["Sec-WebSocket-Protocol"].allSatisfy(\.isEmpty)
    else { throw FeedError(.badUpgrade, "the server chose an extension or protocol that was not offered") }
    // Only used for its check of the accepting key.
    let upgrader = NIOWebSocketClientUpgrader(
      requestKey: key, upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
    guard upgrader.shouldAllowUpgrade(upgradeResponse: head) else {
      throw FeedError(.badUpgrade, "the server's Sec-WebSocket-Accept does not fit the request")
    }
  }
}

extension Substring {
  fileprivate var trimmed: String {
    var text = self.drop { $0 == " " || $0 == "\t" }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return String(text)
  }
}
