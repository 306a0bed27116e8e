import NIOCore
import NIOWebSocket

/// A client's frames, which are masked.
///
/// Reference: RFC 6455, sections 5.2 and 5.3
enum ClientFrame {
  /// - Parameter ping: the number that a ping carries and its answer brings back.
  static func bytes(_ message: Outbox.Message, ping: UInt64, mask: WebSocketMaskingKey) -> ByteBuffer {
    switch message {
    case .ping: bytes(.ping, payload: ByteBuffer(integer: ping), mask: mask)
    case .pong(let payload): bytes(.pong, payload: payload, mask: mask)
    case .text(let text): bytes(.text, payload: ByteBuffer(string: text), mask: mask)
    }
  }

  static func close(code: Int?, mask: WebSocketMaskingKey) -> ByteBuffer {
    var payload = ByteBuffer()
    if let code { payload.writeInteger(UInt16(clamping: code)) }
    return bytes(.connectionClose, payload: payload, mask: mask)
  }

  /// One whole frame.
  static func bytes(
    _ opcode: WebSocketOpcode, payload: ByteBuffer, mask: WebSocketMaskingKey
  ) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.writeInteger(0x80 | UInt8(webSocketOpcode: opcode))
    switch payload.readableBytes {
    case ..<126: buffer.writeInteger(0x80 | UInt8(payload.readableBytes))
    case ..<65_536: buffer.writeMultipleIntegers(UInt8(0x80 | 126), UInt16(payload.readableBytes))
    default: buffer.writeMultipleIntegers(UInt8(0x80 | 127), UInt64(payload.readableBytes))
    }
    buffer.writeBytes(mask)
    var masked = payload
    masked.webSocketMask(mask)
    buffer.writeBuffer(&masked)
    return buffer
  }
}
