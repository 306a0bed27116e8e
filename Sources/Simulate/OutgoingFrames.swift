import NIOCore
import NIOWebSocket

/// Frames for one client, collected until they are flushed in one write.
///
/// Reference: RFC 6455, section 5.2. Frames of a server are not masked.
struct OutgoingFrames {
  private(set) var buffer: ByteBuffer
  private let fragmentSize: Int

  init(allocator: ByteBufferAllocator, fragmentSize: Int?) {
    buffer = allocator.buffer(capacity: 64 * 1024)
    self.fragmentSize = max(1, fragmentSize ?? .max)
  }

  /// Appends bytes that are no frame: the answer to the upgrade.
  mutating func append(_ text: String) { buffer.writeString(text) }

  mutating func append(message: ByteBuffer) {
    var rest = message
    var opcode = WebSocketOpcode.text
    while rest.readableBytes > fragmentSize, let fragment = rest.readSlice(length: fragmentSize) {
      append(fragment, opcode: opcode, isLast: false)
      opcode = .continuation
    }
    append(rest, opcode: opcode, isLast: true)
  }

  mutating func append(binary payload: ByteBuffer) { append(payload, opcode: .binary, isLast: true) }

  /// Takes back the end of what was appended.
  mutating func dropLast(_ count: Int) {
    buffer.moveWriterIndex(to: max(buffer.readerIndex, buffer.writerIndex - count))
  }

  mutating func append(control payload: ByteBuffer, opcode: WebSocketOpcode) {
    append(payload, opcode: opcode, isLast: true)
  }

  private mutating func append(_ payload: ByteBuffer, opcode: WebSocketOpcode, isLast: Bool) {
    let code = UInt8(webSocketOpcode: opcode) | (isLast ? 0x80 : 0)
    switch payload.readableBytes {
    case let length where length < 126:
      buffer.writeMultipleIntegers(code, UInt8(length))
    case let length where length <= UInt16.max:
      buffer.writeMultipleIntegers(code, UInt8(126), UInt16(length))
    case let length:
      buffer.writeMultipleIntegers(code, UInt8(127), UInt64(length))
    }
    buffer.writeImmutableBuffer(payload)
  }
}
