import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import tickwal

/// One client of the HTTP server on a channel without a socket and a clock that is set by hand.
@Suite struct HTTPClientTests {
  /// Keeps what is written: a client that does not read.
  private final class Stuck: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private(set) var bytes = 0

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
      bytes += unwrapOutboundIn(data).readableBytes
      held.append(promise)
    }
    private var held: [EventLoopPromise<Void>?] = []
    func handlerRemoved(context: ChannelHandlerContext) {
      for promise in held { promise?.fail(ChannelError.ioOnClosedChannel) }
    }
  }

  private let channel = EmbeddedChannel()
  private var loop: EmbeddedEventLoop { channel.embeddedEventLoop }

  private func connect(stuck: Stuck? = nil) throws {
    let settings = try configuration(["HTTP_LISTEN": "127.0.0.1:0"]).observe
    let server = HTTPServer(settings, logger: Logger(label: "test")) { _ in
      Issue.record("nothing is asked of the log")
      return HTTPReply(status: 500, body: "", result: .failed)
    }
    if let stuck { try channel.pipeline.syncOperations.addHandler(stuck) }
    try server.serve(channel.pipeline.syncOperations)
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
  }

  private func send(_ text: String) { channel.pipeline.fireChannelRead(ByteBuffer(string: text)) }

  private func answer() throws -> String {
    var text = ""
    while let part = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: part) }
    return text
  }

  @Test(arguments: ["", "GET /livez HTTP/1.1\r\n", "GET /livez HTTP/1.1\r\nHost: localhost\r\n", "GET "])
  func `a client that sends half a request is waited for as long as the limit, and no longer`(half: String)
    throws
  {
    try connect()
    if !half.isEmpty { send(half) }
    loop.advanceTime(by: .milliseconds(9_999))
    #expect(channel.isActive)
    loop.advanceTime(by: .milliseconds(1))
    #expect(!channel.isActive)
    #expect(try answer() == "")
  }

  @Test func `bytes that come one by one do not lengthen the limit`() throws {
    try connect()
    for byte in "GET /livez" {
      send(String(byte))
      loop.advanceTime(by: .milliseconds(1_000))
    }
    #expect(!channel.isActive)
  }

  @Test func `a client that does not read its answer is let go`() throws {
    let stuck = Stuck()
    try connect(stuck: stuck)
    send("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(stuck.bytes > 0)
    loop.advanceTime(by: .milliseconds(9_999))
    #expect(channel.isActive)
    loop.advanceTime(by: .milliseconds(1))
    #expect(!channel.isActive)
  }

  @Test func `a request line without an end is refused after 16 KiB, and nothing more of it is read`() throws
  {
    try connect()
    for _ in 0..<64 { send(String(repeating: "a", count: 16 << 10)) }
    loop.run()
    #expect(try answer().hasPrefix("HTTP/1.1 4"))
    #expect(!channel.isActive)
  }

  @Test func `each answer forbids frames, guesses and everything that is not its own`() throws {
    try connect()
    send("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
    loop.run()
    let text = try answer()
    for header in [
      "HTTP/1.1 404", "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY", "Cache-Control: no-store",
      "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'", "Referrer-Policy: no-referrer",
    ] { #expect(text.contains(header)) }
    #expect(!channel.isActive)
  }
}
