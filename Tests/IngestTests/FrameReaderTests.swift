import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing

@testable import Ingest

/// A server's frame, made by swift-nio's own encoder.
func serverFrame(
  _ opcode: WebSocketOpcode, _ payload: [UInt8], fin: Bool = true, mask: WebSocketMaskingKey? = nil
) throws -> [UInt8] {
  let channel = EmbeddedChannel(handler: WebSocketFrameEncoder())
  let frame = WebSocketFrame(fin: fin, opcode: opcode, maskKey: mask, data: ByteBuffer(bytes: payload))
  try channel.writeOutbound(frame)
  var bytes: [UInt8] = []
  while var buffer = try channel.readOutbound(as: ByteBuffer.self) {
    bytes += buffer.readBytes(length: buffer.readableBytes) ?? []
  }
  _ = try channel.finish()
  return bytes
}

@Suite struct FrameReaderTests {
  private func items(
    _ bytes: [UInt8], pieces: Int = .max, maximum: Int = 1 << 20
  ) throws -> [FrameReader.Item] {
    var reader = FrameReader(maximumMessage: maximum)
    var buffer = ByteBuffer()
    var items: [FrameReader.Item] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      buffer.writeBytes(rest.prefix(pieces))
      rest = rest.dropFirst(pieces)
      while let item = try reader.next(&buffer) { items.append(item) }
    }
    #expect(buffer.readableBytes == 0)
    return items
  }

  @Test(arguments: [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
  func `frames of every length encoding come out whole, however they are cut`(_ length: Int) throws {
    let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
    let bytes = try serverFrame(.text, payload) + serverFrame(.binary, payload)
    let buffer = ByteBuffer(bytes: payload)
    for pieces in [1, 7, 1000, .max] {
      #expect(
        try items(bytes, pieces: pieces) == [.message(buffer, isText: true), .message(buffer, isText: false)])
    }
  }

  @Test func `fragments are put together, with control frames in between`() throws {
    let bytes =
      try serverFrame(.text, [1, 2], fin: false) + serverFrame(.ping, [9])
      + serverFrame(.continuation, [], fin: false) + serverFrame(.continuation, [3], fin: false)
      + serverFrame(.pong, []) + serverFrame(.continuation, [4]) + serverFrame(.text, [5])
    for pieces in [1, 3, .max] {
      #expect(
        try items(bytes, pieces: pieces) == [
          .ping(ByteBuffer(bytes: [9])), .pong(ByteBuffer()),
          .message(ByteBuffer(bytes: [1, 2, 3, 4]), isText: true),
          .message(ByteBuffer(bytes: [5]), isText: true),
        ])
    }
  }

  @Test func `a ping that waits for its answer does not keep what came with it`() throws {
    var buffer = ByteBuffer(bytes: try serverFrame(.ping, [1, 2, 3]) + [UInt8](repeating: 0, count: 1 << 20))
    var reader = FrameReader(maximumMessage: 1 << 20)
    guard case .ping(let payload) = try reader.next(&buffer) else { throw CancellationError() }
    #expect(payload == ByteBuffer(bytes: [1, 2, 3]) && payload.storageCapacity < 1_024)
  }

  @Test func `a close frame tells its code and reason, if it has them`() throws {
    #expect(try items(serverFrame(.connectionClose, [])) == [.close(code: nil, reason: "")])
    #expect(
      try items(serverFrame(.connectionClose, [0x03, 0xe9] + Array("bye".utf8)))
        == [.close(code: 1001, reason: "bye")])
  }

  @Test func `messages up to the limit pass, larger ones are refused before they are received`() throws {
    let payload = [UInt8](repeating: 0x20, count: 1000)
    #expect(try items(serverFrame(.text, payload), maximum: 1000).count == 1)
    let large = try serverFrame(.text, payload + [0x20])
    let fragmented = try serverFrame(.text, payload, fin: false) + serverFrame(.continuation, [0x20])
    for bytes in [Array(large.prefix(4)), fragmented, [0x82, 0x7f] + [UInt8](repeating: 0xff, count: 8)] {
      #expect { try items(bytes, maximum: 1000) } throws: {
        ($0 as? FeedError)?.code == .messageTooLarge
      }
    }
  }

  @Test func `what breaks the protocol is refused`() throws {
    let cases: [(String, [UInt8])] = [
      ("masked", try serverFrame(.text, [1], mask: [1, 2, 3, 4])),
      ("reserved bit 1", [0xc1, 0x00]), ("reserved bit 2", [0xa1, 0x00]), ("reserved bit 3", [0x91, 0x00]),
      ("unknown data frame", [0x83, 0x00]), ("unknown control frame", [0x8b, 0x00]),
      ("continuation of nothing", [0x80, 0x00]), ("message in a message", [0x01, 0x00, 0x81, 0x00]),
      ("fragmented ping", [0x09, 0x00]), ("long ping", [0x89, 0x7e, 0x00, 0x7e]),
      ("close of one byte", [0x88, 0x01, 0x03]), ("close code 1005", [0x88, 0x02, 0x03, 0xed]),
      ("close code 999", [0x88, 0x02, 0x03, 0xe7]),
    ]
    for (name, bytes) in cases {
      #expect("\(name)") { try items(bytes) } throws: { ($0 as? FeedError)?.code == .badFrame }
    }
  }

  @Test func `text that is not UTF-8 is a message like any other, as the reason of a close it is refused`()
    throws
  {
    let bad = try serverFrame(.text, [0xe2, 0x82], fin: false) + serverFrame(.continuation, [0x20])
    let message = FrameReader.Item.message(ByteBuffer(bytes: [0xe2, 0x82, 0x20]), isText: true)
    #expect(try items(bad) == [message])
    #expect { try items([0x88, 0x03, 0x03, 0xe8, 0xff]) } throws: { ($0 as? FeedError)?.code == .badText }
  }

  @Test(arguments: [0, 125, 126, 65_535, 65_536, 70_000])
  func `messages of this side are masked, with lengths of every encoding`(_ length: Int) throws {
    let decoder = WebSocketFrameDecoder(maxFrameSize: 1 << 20)
    let channel = EmbeddedChannel(handler: ByteToMessageHandler(decoder))
    let payload = ByteBuffer(bytes: (0..<length).map { UInt8(truncatingIfNeeded: $0) })
    try channel.writeInbound(ClientFrame.bytes(.binary, payload: payload, mask: [9, 8, 7, 6]))
    let frame = try #require(try channel.readInbound(as: WebSocketFrame.self))
    #expect(frame.opcode == .binary && frame.fin && frame.maskKey != nil && frame.unmaskedData == payload)
    _ = try channel.finish()
  }

  @Test func `control frames of this side are masked and say what they should`() throws {
    let channel = EmbeddedChannel(handler: ByteToMessageHandler(WebSocketFrameDecoder()))
    try channel.writeInbound(
      ClientFrame.bytes(.pong(ByteBuffer(string: "1234567")), ping: 0, mask: [1, 2, 3, 4]))
    try channel.writeInbound(ClientFrame.close(code: 1002, mask: [0xff, 0, 0xff, 0]))
    let pong = try #require(try channel.readInbound(as: WebSocketFrame.self))
    #expect(pong.opcode == .pong && pong.maskKey != nil && pong.unmaskedData == ByteBuffer(string: "1234567"))
    let close = try #require(try channel.readInbound(as: WebSocketFrame.self))
    #expect(close.opcode == .connectionClose && close.unmaskedData == ByteBuffer(bytes: [0x03, 0xea]))
    _ = try channel.finish()
  }
}
