import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing
import WAL

@testable import Ingest

/// Stands in for the feed behind a connection.
private final class Owner: FeedConnectionOwner {
  var mayRead = true
  var events: [String] = []
  var deliveries: [Intake] = []
  var arrivals = 0

  func opened(_ connection: FeedConnection) { events.append("opened") }
  func serverWillClose(_ connection: FeedConnection) { events.append("announced") }
  func arrived(_ connection: FeedConnection) { arrivals += 1 }

  func turned() {}
  func answered(_ connection: FeedConnection) { events.append("answered") }

  func judged(_ verdict: Subscriptions.Verdict, by connection: FeedConnection) {
    switch verdict {
    case .granted: break
    case .refused(let streams, let failure, _):
      events.append("refused \(streams.count): \(failure?.message ?? "no answer")")
    case .said(let failure): events.append("said \(failure.message)")
    }
  }

  func received(_ intake: Intake, from connection: FeedConnection) {
    events.append("received \(intake.messages)")
    deliveries.append(intake)
  }

  func ended(_ connection: FeedConnection, _ reason: FeedError) { events.append("ended \(reason.code)") }
}

/// Counts how often the connection asks the channel to read.
private final class ReadCounter: ChannelOutboundHandler {
  typealias OutboundIn = ByteBuffer
  var reads = 0

  func read(context: ChannelHandlerContext) {
    reads += 1
    context.read()
  }
}

/// A connection in a channel without a socket.
private struct Harness {
  let owner = Owner()
  let counter = ReadCounter()
  let channel = EmbeddedChannel()
  let connection: FeedConnection

  init(url: String = "ws://h", streams: [String] = ["a@b"], upgraded: Bool = true) throws {
    let endpoint = try FeedEndpoint(url: url, testnet: true)
    connection = FeedConnection(
      id: .init(number: 1), endpoint: endpoint, target: FeedTarget(endpoint: endpoint, streams: streams),
      owner: owner, wallClock: { 77 })
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    try channel.pipeline.syncOperations.addHandlers([counter, connection])
    if upgraded {
      try receive(answer())
      owner.events.removeAll()
      owner.arrivals = 0
    }
  }

  /// The answer to the request that the connection has written, made by swift-nio's own upgrader.
  func answer() throws -> [UInt8] {
    let request = try #require(try channel.readOutbound(as: ByteBuffer.self))
    let lines = String(buffer: request).split(separator: "\r\n")
    let key = try #require(lines.first { $0.hasPrefix("Sec-WebSocket-Key: ") }).dropFirst(19)
    let upgrader = NIOWebSocketServerUpgrader(
      shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
      upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
    let headers = try upgrader.buildUpgradeResponse(
      channel: channel,
      upgradeRequest: .init(
        version: .http1_1, method: .GET, uri: "/",
        headers: ["Sec-WebSocket-Key": String(key), "Sec-WebSocket-Version": "13"]),
      initialResponseHeaders: [:]
    ).wait()
    let text = headers.map { "\($0.name): \($0.value)\r\n" }.joined()
    return Array("HTTP/1.1 101 Switching Protocols\r\n\(text)\r\n".utf8)
  }

  /// One read of the socket, which may bring several pieces.
  func receive(_ pieces: [UInt8]...) throws {
    for piece in pieces { channel.pipeline.fireChannelRead(ByteBuffer(bytes: piece)) }
    channel.pipeline.fireChannelReadComplete()
    channel.embeddedEventLoop.run()
  }

  func sentFrames() throws -> [WebSocketFrame] {
    let decoder = EmbeddedChannel(handler: ByteToMessageHandler(WebSocketFrameDecoder()))
    while let bytes = try channel.readOutbound(as: ByteBuffer.self) { try decoder.writeInbound(bytes) }
    var frames: [WebSocketFrame] = []
    while let frame = try decoder.readInbound(as: WebSocketFrame.self) { frames.append(frame) }
    return frames
  }
}

@Suite struct FeedConnectionTests {
  private func message(_ number: Int) throws -> [UInt8] {
    try serverFrame(.text, Array(#"{"stream":"a@b","data":{"E":\#(number)}}"#.utf8))
  }

  @Test func `frames in one segment with the answer are not lost`() throws {
    let harness = try Harness(upgraded: false)
    try harness.receive(harness.answer() + message(1) + message(2))
    #expect(harness.owner.events == ["opened", "received 2"])
    let intake = try #require(harness.owner.deliveries.first)
    #expect(intake.ticks.entries.map(\.eventTime) == [1, 2])
    #expect(intake.receivedAt == 77)
  }

  @Test func `all messages of one read are one intake`() throws {
    let harness = try Harness()
    let half = try message(3)
    try harness.receive(message(1) + message(2), Array(half.prefix(5)))
    try harness.receive(Array(half.dropFirst(5)))
    #expect(harness.owner.events == ["received 2", "received 1"])
  }

  @Test func `messages that are no ticks, three in a row, are not hidden by the ticks around them`() throws {
    let harness = try Harness()
    let rubbish = try serverFrame(.text, Array(#"{"msg":"busy"}"#.utf8))
    try harness.receive(message(1) + rubbish + rubbish + message(2))
    #expect(harness.owner.deliveries.map(\.rejectedSince) == [0])
    try harness.receive(message(3) + rubbish + rubbish)
    try harness.receive(rubbish + rubbish + message(4) + rubbish + rubbish + rubbish + message(5))
    #expect(harness.owner.deliveries.map(\.rejectedSince) == [0, 2, 1, 3, 0])
    #expect(harness.owner.deliveries.map(\.ticks.count) == [2, 1, 0, 1, 1])
    #expect(harness.owner.arrivals == 0)
  }

  @Test func `a message of 16 MiB in many pieces arrives, one more byte is refused`() throws {
    let harness = try Harness()
    let opening = #"{"stream":"a@b","data":{"x":""#
    let filling = FeedConnection.maximumMessage - opening.utf8.count - 3
    let text = opening + String(repeating: "y", count: filling) + #""}}"#
    let bytes = try serverFrame(.text, Array(text.utf8))
    var place = 0
    while place < bytes.count {
      try harness.receive(Array(bytes[place..<min(bytes.count, place + 65_536)]))
      place += 65_536
    }
    #expect(harness.owner.events == ["received 1"])
    #expect(harness.owner.deliveries.first?.ticks.entries.first?.payload.count == text.utf8.count - 24)
    try harness.receive(Array(serverFrame(.text, Array((text + " ").utf8)).prefix(100)))
    #expect(harness.owner.events.last == "ended messageTooLarge")
    #expect(try harness.sentFrames().first?.unmaskedData == ByteBuffer(bytes: [0x03, 0xf1]))
    #expect(!harness.channel.isActive)
  }

  @Test func `a ping is answered at once, masked and with its payload`() throws {
    let harness = try Harness()
    try harness.receive(serverFrame(.ping, Array("1669000000000".utf8)) + serverFrame(.ping, []))
    let frames = try harness.sentFrames()
    #expect(frames.map(\.opcode) == [.pong, .pong])
    #expect(frames.allSatisfy { $0.maskKey != nil && $0.fin })
    #expect(frames.map { String(buffer: $0.unmaskedData) } == ["1669000000000", ""])
    #expect(harness.owner.events.isEmpty && harness.owner.arrivals == 1)
  }

  @Test func `a close frame is answered with its code, after what came before it was handed over`() throws {
    let harness = try Harness()
    try harness.receive(message(1) + serverFrame(.connectionClose, [0x03, 0xe9]) + message(2))
    #expect(harness.owner.events == ["received 1", "ended closed(code: Optional(1001))"])
    let frames = try harness.sentFrames()
    #expect(frames.map(\.opcode) == [.connectionClose])
    #expect(frames.first?.unmaskedData == ByteBuffer(bytes: [0x03, 0xe9]))
    #expect(!harness.channel.isActive)
  }

  @Test func `a broken frame ends the connection with 1002, keeping what came before it`() throws {
    let harness = try Harness()
    try harness.receive(message(1) + [0xff, 0xff])
    #expect(harness.owner.events == ["received 1", "ended badFrame"])
    #expect(try harness.sentFrames().first?.unmaskedData == ByteBuffer(bytes: [0x03, 0xea]))
  }

  @Test func `an end without a close frame is an end, said once`() throws {
    let harness = try Harness()
    try harness.receive(message(1))
    try harness.channel.close().wait()
    harness.channel.embeddedEventLoop.run()
    #expect(harness.owner.events == ["received 1", "ended closed(code: nil)"])
  }

  @Test func `a refusal of the upgrade is reported with its status`() throws {
    let harness = try Harness(upgraded: false)
    try harness.receive(Array("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno".utf8))
    #expect(harness.owner.events == ["ended refused(status: 503)"])
    #expect(!harness.channel.isActive)
  }

  @Test func `an answer cut short by the end of the connection is reported`() throws {
    let harness = try Harness(upgraded: false)
    try harness.receive(Array("HTTP/1.1 101 Swi".utf8))
    try harness.channel.close().wait()
    #expect(harness.owner.events == ["ended badUpgrade"])
  }

  @Test func `while the log is full nothing is read, and reading goes on when there is room`() throws {
    let harness = try Harness()
    let before = harness.counter.reads
    try harness.receive(message(1))
    #expect(harness.counter.reads == before + 1)
    harness.owner.mayRead = false
    try harness.receive(message(2))
    #expect(harness.counter.reads == before + 1)
    harness.owner.mayRead = true
    harness.connection.resume()
    harness.connection.resume()
    #expect(harness.counter.reads == before + 2)
  }

  @Test func `answers and announcements of the exchange are no data`() throws {
    let harness = try Harness()
    try harness.receive(
      serverFrame(.text, Array(#"{"result":null,"id":1}"#.utf8))
        + serverFrame(.text, Array(#"{"e":"serverShutdown","E":1}"#.utf8)))
    #expect(harness.owner.events == ["announced"])
  }

  @Test func `an event alone gets its stream from the URL`() throws {
    let harness = try Harness(url: "ws://h/ws/btcusdt@depth5")
    try harness.receive(serverFrame(.binary, Array(#"{"bids":[]}"#.utf8)))
    let ticks = try #require(harness.owner.deliveries.first).ticks
    #expect(ticks.entries.map { ticks.stream(of: $0) } == ["btcusdt@depth5"])
  }

  @Test func `closing sends a close frame, and what comes until the server's own is handed over`() throws {
    let harness = try Harness()
    harness.channel.pipeline.fireChannelRead(ByteBuffer(bytes: try message(1)))
    harness.connection.close()
    #expect(try harness.sentFrames().map(\.opcode) == [.connectionClose])
    try harness.receive(message(2))
    // Nothing more may be said on it, not even an answer to a ping.
    try harness.receive(message(3) + serverFrame(.ping, []))
    harness.connection.ping()
    #expect(harness.owner.events == ["received 2", "received 1"])
    try harness.receive(message(4) + serverFrame(.connectionClose, [0x03, 0xe8]) + message(5))
    #expect(
      harness.owner.events == [
        "received 2", "received 1", "received 1", "ended closed(code: Optional(1000))",
      ])
    #expect(try harness.sentFrames().isEmpty)
    #expect(!harness.channel.isActive)
  }

  @Test func `what is abandoned says nothing more`() throws {
    let harness = try Harness()
    harness.channel.pipeline.fireChannelRead(ByteBuffer(bytes: try message(1)))
    harness.connection.abandon()
    harness.channel.pipeline.fireChannelReadComplete()
    harness.channel.embeddedEventLoop.run()
    #expect(harness.owner.events.isEmpty && harness.owner.arrivals == 0)
    #expect(try harness.sentFrames().isEmpty)
    #expect(!harness.channel.isActive)
  }

  @Test func `own pings and pongs leave at most five a second, pongs first`() throws {
    let harness = try Harness()
    for number in 0..<5 { try harness.receive(serverFrame(.ping, [UInt8(number)])) }
    harness.connection.ping()
    try harness.receive(serverFrame(.ping, [9]))
    #expect(try harness.sentFrames().map(\.opcode) == Array(repeating: .pong, count: 5))
    harness.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
    #expect(try harness.sentFrames().isEmpty)
    harness.channel.embeddedEventLoop.advanceTime(by: .milliseconds(100))
    let frames = try harness.sentFrames()
    #expect(frames.map(\.opcode) == [.pong, .ping])
    #expect(frames.first?.unmaskedData == ByteBuffer(bytes: [9]))
    #expect(frames.allSatisfy { $0.maskKey != nil })
  }
}

/// Lists that are too long for a URL.
@Suite struct SubscribingTests {
  private let streams = (0..<700).map { "symbol\($0)usdt@miniTicker" }

  private func answer(_ id: Int, _ text: String = #""result":null"#) throws -> [UInt8] {
    try serverFrame(.text, Array("{\(text),\"id\":\(id)}".utf8))
  }

  private func data() throws -> [UInt8] {
    try serverFrame(.text, Array(#"{"stream":"symbol1usdt@miniTicker","data":{}}"#.utf8))
  }

  @Test func `it is open when the last request is answered; data before that is handed over`() throws {
    let harness = try Harness(streams: streams)
    let requests = try harness.sentFrames()
    #expect(requests.count == 5 && requests.allSatisfy { $0.opcode == .text && $0.maskKey != nil })
    #expect(
      requests.first.map {
        String(buffer: $0.unmaskedData).hasPrefix(#"{"method":"SUBSCRIBE","params":["sy"#)
      }
        == true)
    for id in [2, 1, 4] { try harness.receive(answer(id)) }
    try harness.receive(data())
    #expect(harness.owner.events == ["received 1"] && !harness.connection.hasOpened)
    try harness.receive(answer(5), answer(3))
    #expect(harness.owner.events == ["received 1", "opened"] && harness.connection.hasOpened)
  }

  @Test func `a refused request is said with its streams, and the others go on`() throws {
    let harness = try Harness(streams: streams)
    let failure = #""error":{"code":2,"msg":"Invalid request"}"#
    for id in [1, 3, 4] { try harness.receive(answer(id)) }
    try harness.receive(answer(2, failure))
    // Without a number it is the oldest that is not answered.
    try harness.receive(serverFrame(.text, Array("{\(failure),\"id\":null}".utf8)))
    let endpoint = try FeedEndpoint(url: "ws://h", testnet: true)
    let sizes = FeedTarget(endpoint: endpoint, streams: streams).requests.map(\.streams.count)
    #expect(
      harness.owner.events == [
        "refused \(sizes[1]): Invalid request", "refused \(sizes[4]): Invalid request", "opened",
      ])
  }

  @Test func `more requests than a second takes go out in turn`() throws {
    let streams = (0..<1_024).map { "symbol\($0)usdt@miniTicker" }
    let harness = try Harness(streams: streams)
    var requests = try harness.sentFrames()
    #expect(requests.count == 5)
    harness.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1100))
    requests += try harness.sentFrames()
    let texts = requests.map { String(buffer: $0.unmaskedData) }
    let endpoint = try FeedEndpoint(url: "ws://h", testnet: true)
    #expect(texts == FeedTarget(endpoint: endpoint, streams: streams).requests.map(\.text))
  }
}
