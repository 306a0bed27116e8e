import NIOCore
import Testing

@testable import Ingest

@Suite struct HandshakeTests {
  /// The key and its answer of RFC 6455, section 1.3.
  static let key = "dGhlIHNhbXBsZSBub25jZQ=="
  static let answer = """
    HTTP/1.1 101 Switching Protocols\r
    Upgrade: websocket\r
    Connection: Upgrade\r
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r
    \r

    """

  private func handshake(url: String = "ws://h:81") throws -> Handshake {
    Handshake(
      host: try FeedEndpoint(url: url, testnet: true).hostHeader, target: "/stream?streams=a@b", key: Self.key
    )
  }

  @Test func `the request asks for a WebSocket and offers no extension`() throws {
    let lines = try handshake().request.split(separator: "\r\n", omittingEmptySubsequences: false)
    #expect(lines.first == "GET /stream?streams=a@b HTTP/1.1")
    #expect(lines.contains("Host: h:81"))
    #expect(lines.contains("Sec-WebSocket-Key: \(Self.key)"))
    #expect(lines.contains("Sec-WebSocket-Version: 13"))
    #expect(!lines.contains { $0.lowercased().hasPrefix("sec-websocket-extensions") })
    #expect(lines.suffix(2) == ["", ""])
  }

  @Test(arguments: [
    ("ws://h", "h"), ("wss://h:443", "h"), ("wss://h:80", "h:80"), ("ws://[::1]:5", "[::1]:5"),
  ])
  func `the host header leaves out the usual port`(_ url: String, _ header: String) throws {
    #expect(try handshake(url: url).request.contains("\r\nHost: \(header)\r\n"))
  }

  @Test func `what comes with the answer stays in the buffer, however it is cut`() throws {
    let bytes = Array(Self.answer.utf8) + [0x81, 0x02, 0x7b, 0x7d]
    for cut in 1..<bytes.count {
      var handshake = try handshake()
      var buffer = ByteBuffer(bytes: bytes[..<cut])
      let first = try handshake.receive(&buffer)
      #expect(first == (cut < Self.answer.utf8.count ? .incomplete : .upgraded))
      buffer.writeBytes(bytes[cut...])
      let last = first == .incomplete ? try handshake.receive(&buffer) : first
      #expect(last == .upgraded)
      #expect(Array(buffer.readableBytesView) == [0x81, 0x02, 0x7b, 0x7d])
    }
  }

  @Test(arguments: [
    ("Upgrade: websocket\r\n", ""),
    ("Connection: Upgrade\r\n", ""),
    ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="),
    ("Connection: Upgrade\r\n", "Connection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"),
    ("Connection: Upgrade\r\n", "Connection: Upgrade\r\nSec-WebSocket-Protocol: chat\r\n"),
    ("HTTP/1.1 101", "SPDY/3 101"),
    ("Connection: Upgrade\r\n", "Connection: Upgrade\r\nnonsense\r\n"),
    ("Connection: Upgrade\r\n", "Connection: Upgrade\r\nPr\u{e9}nom: x\r\n"),
    ("Connection: Upgrade\r\n", "Connection: Upgrade\r\n: x\r\n"),
    ("Connection: Upgrade\r\n", "Connection: Upgrade\r\nX : x\r\n"),
    ("HTTP/1.1 101", "garbage\r\nHTTP/1.1 101"), ("HTTP/1.1 101", "\0HTTP/1.1 101"),
    ("HTTP/1.1 101", "HTTP/1.1 1O1"), ("HTTP/1.1 101", "HTTP/1.1 -12"), ("HTTP/1.1 101", "HTTP/1.1 +10"),
    ("HTTP/1.1 101", "HTTP/1.1 099"), ("HTTP/1.1 101", "HTTP/1.1 600"), ("HTTP/1.1 101", "HTTP/1.1 1011"),
    (
      "Connection: Upgrade\r\n",
      "Connection: Upgrade\r\nSec-WebSocket-Protocol: \r\nSec-WebSocket-Protocol: x\r\n"
    ),
  ])
  func `an answer that is not quite right is refused`(_ part: String, _ other: String) throws {
    var handshake = try handshake()
    var buffer = ByteBuffer(string: Self.answer.replacing(part, with: other))
    #expect { _ = try handshake.receive(&buffer) } throws: { ($0 as? FeedError)?.code == .badUpgrade }
  }

  @Test func `lists and other case in the answer's headers are fine`() throws {
    var handshake = try handshake()
    let text = Self.answer.replacing("Connection: Upgrade", with: "connection: keep-alive, UPGRADE")
    var buffer = ByteBuffer(string: text.replacing("Upgrade: websocket", with: "UPGRADE:\tWebSocket "))
    let progress = try handshake.receive(&buffer)
    #expect(progress == .upgraded)
  }

  static let early = "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"

  @Test func `answers that come before the one that counts are passed over, however they are cut`() throws {
    let bytes = Array(("HTTP/1.1 100 Continue\r\n\r\n" + Self.early + Self.answer).utf8) + [0x81]
    for cut in 1..<bytes.count - 1 {
      var handshake = try handshake()
      var buffer = ByteBuffer(bytes: bytes[..<cut])
      let first = try handshake.receive(&buffer)
      #expect(first == .incomplete)
      buffer.writeBytes(bytes[cut...])
      let last = try handshake.receive(&buffer)
      #expect(last == .upgraded)
      #expect(Array(buffer.readableBytesView) == [0x81])
    }
  }

  @Test func `a refusal after an early answer is reported as the refusal that it is`() throws {
    var handshake = try handshake()
    var buffer = ByteBuffer(string: Self.early + "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    #expect { _ = try handshake.receive(&buffer) } throws: {
      ($0 as? FeedError)?.code == .refused(status: 403)
    }
  }

  @Test func `early answers without end are refused`() throws {
    var handshake = try handshake()
    var buffer = ByteBuffer(string: String(repeating: Self.early, count: 10))
    let progress = try handshake.receive(&buffer)
    #expect(progress == .incomplete)
    buffer.writeString(Self.early)
    #expect { _ = try handshake.receive(&buffer) } throws: { ($0 as? FeedError)?.code == .badUpgrade }
  }

  @Test(arguments: ["Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol:  \t", "Sec-WebSocket-Extensions: "])
  func `a protocol or extension without a name is none`(_ header: String) throws {
    var handshake = try handshake()
    var buffer = ByteBuffer(
      string: Self.answer.replacing("Connection: Upgrade", with: "Connection: Upgrade\r\n" + header))
    let progress = try handshake.receive(&buffer)
    #expect(progress == .upgraded)
  }

  @Test(
    arguments: [
      ("429 Slow\r\nRetry-After: 120", .seconds(120)), ("418 Banned\r\nRETRY-AFTER:\t7 ", .seconds(7)),
      ("429 Slow\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT", .date(784_111_777)),
      ("429 Slow\r\nRetry-After: -1", nil), ("429 Slow", nil), ("503 Busy\r\nRetry-After: 120", nil),
    ] as [(String, RetryAfter?)])
  func `an exchange that finds this client too quick says when it may ask again`(
    _ head: String, _ retryAfter: RetryAfter?
  ) throws {
    var handshake = try handshake()
    var buffer = ByteBuffer(string: "HTTP/1.1 \(head)\r\nContent-Length: 0\r\n\r\n")
    do {
      _ = try handshake.receive(&buffer)
      Issue.record("no error")
    } catch {
      #expect(error.retryAfter == retryAfter)
    }
  }

  @Test func `a length that is no plain number is none`() throws {
    var handshake = try handshake()
    var buffer = ByteBuffer(string: "HTTP/1.1 500 X\r\nContent-Length: +2\r\n\r\nab")
    // As long as the body may go on.
    let progress = try handshake.receive(&buffer)
    #expect(progress == .incomplete)
  }

  @Test func `another status is reported with the beginning of its body`() throws {
    var handshake = try handshake()
    let body = "try\nlater" + String(repeating: "x", count: 5_000)
    var buffer = ByteBuffer(string: "HTTP/1.1 429 Slow\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    #expect { _ = try handshake.receive(&buffer) } throws: {
      guard let error = $0 as? FeedError else { return false }
      return error.code == .refused(status: 429) && error.description.contains("status 429: try laterxxx")
        && error.description.count < 400
    }
  }

  @Test(arguments: [
    (
      "HTTP/1.1 301 Moved\r\nLocation: https://other/x\r\nContent-Length: 0\r\n\r\n",
      "301 and sends to https://other/x"
    ),
    ("HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwhy\r\n0\r\n\r\n", "429: 3  why  0    "),
    ("HTTP/1.1 204 None\r\n\r\n", "status 204"),
    ("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", "status 500"),
    ("HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\n\u{1b}\u{7}", "500:   "),
  ])
  func `an answer without more to come is reported at once, in one line`(_ text: String, _ end: String) throws
  {
    var handshake = try handshake()
    var buffer = ByteBuffer(string: text)
    #expect { _ = try handshake.receive(&buffer) } throws: { "\($0)".hasSuffix(end) }
  }

  @Test(
    arguments: [
      ([0x15, 0x03, 0x01], "TLS"), (Array("SSH-2.0".utf8), "not HTTP: SSH-2.0"),
      ([0xff, 0x0a, 0x41], "not HTTP: \u{fffd} A"),
    ] as [([UInt8], String)])
  func `another protocol is refused at its first bytes`(_ bytes: [UInt8], _ text: String) throws {
    var handshake = try handshake()
    var buffer = ByteBuffer(bytes: bytes)
    #expect { _ = try handshake.receive(&buffer) } throws: { "\($0)".contains(text) }
  }

  @Test func `a short body is reported when the server closes`() throws {
    var handshake = try handshake()
    var buffer = ByteBuffer(string: "HTTP/1.0 403 Forbidden\r\n\r\nno")
    let progress = try handshake.receive(&buffer)
    #expect(progress == .incomplete)
    let error = handshake.end(&buffer)
    #expect(error.code == .refused(status: 403))
    #expect(error.description.hasSuffix("403: no"))
  }

  @Test func `a head without end is refused`() throws {
    var handshake = try handshake()
    var buffer = ByteBuffer(string: "HTTP/1.1 101 X\r\nA: " + String(repeating: "a", count: 70_000))
    #expect { _ = try handshake.receive(&buffer) } throws: { ($0 as? FeedError)?.code == .badUpgrade }
  }
}
