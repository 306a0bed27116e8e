import Base
import NIOCore
import NIOWebSocket

/// The reader that takes a server's frames out of a byte buffer and puts fragmented messages together.
///
/// In place of swift-nio's decoder and aggregator, whose frames each pass through the channel's pipeline: here
/// one read's messages are handled in one go, without an allocation each.
///
/// Reference: RFC 6455, sections 5.2 to 5.5
struct FrameReader {
  enum Item: Equatable {
    /// A whole data message. Text may be no UTF-8, against section 8.1: the feed keeps such a message as a dead
    /// letter, because an exchange that repeats it would end every connection, and all good ticks on it, again
    /// and again.
    case message(ByteBuffer, isText: Bool)
    case ping(ByteBuffer)
    case pong(ByteBuffer)
    /// The server ends the connection.
    case close(code: Int?, reason: String)
  }

  private let maximumMessage: Int
  /// The beginning of a fragmented message; nil between messages.
  private var fragments: ByteBuffer?
  private var isFragmentedText = false

  /// - Parameter maximumMessage: bytes of one message, whole or in fragments.
  init(maximumMessage: Int) { self.maximumMessage = maximumMessage }

  /// The next thing the server says, taken out of the buffer; nil if more bytes are needed.
  mutating func next(_ buffer: inout ByteBuffer) throws(FeedError) -> Item? {
    while true {
      guard let head = try head(buffer), buffer.readableBytes >= head.size + head.length else { return nil }
      buffer.moveReaderIndex(forwardBy: head.size)
      guard let payload = buffer.readSlice(length: head.length) else { return nil }
      if let item = try take(head, payload) { return item }
    }
  }

  /// Bytes that the frame at the front of the buffer still lacks, if its head is there: worth reserving.
  func missing(in buffer: ByteBuffer) throws(FeedError) -> Int {
    guard let head = try head(buffer) else { return 0 }
    return max(0, head.size + head.length - buffer.readableBytes)
  }

  private struct Head {
    var isLast: Bool
    var opcode: WebSocketOpcode
    var size: Int
    var length: Int
  }

  private func head(_ buffer: ByteBuffer) throws(FeedError) -> Head? {
    let start = buffer.readerIndex
    guard let first = buffer.getInteger(at: start, as: UInt8.self),
      let second = buffer.getInteger(at: start + 1, as: UInt8.self)
    else { return nil }
    guard first & 0x70 == 0 else { throw FeedError(.badFrame, "a frame uses bits of no agreed extension") }
    guard second & 0x80 == 0 else { throw FeedError(.badFrame, "a server's frame is masked") }
    guard let opcode = WebSocketOpcode(encodedWebSocketOpcode: first & 0x0f) else {
      throw FeedError(.badFrame, "a frame of an unknown kind")
    }
    var head = Head(isLast: first & 0x80 != 0, opcode: opcode, size: 2, length: Int(second & 0x7f))
    if head.length == 126 {
      guard let length = buffer.getInteger(at: start + 2, as: UInt16.self) else { return nil }
      (head.size, head.length) = (4, Int(length))
    } else if head.length == 127 {
      guard let length = buffer.getInteger(at: start + 2, as: UInt64.self) else { return nil }
      (head.size, head.length) = (10, Int(clamping: length))
    }
    try check(head)
    return head
  }

  private func check(_ head: Head) throws(FeedError) {
    switch head.opcode {
    case .ping, .pong, .connectionClose:
      guard head.isLast, head.length <= 125 else {
        throw FeedError(.badFrame, "a control frame is fragmented or longer than 125 bytes")
      }
    case .text, .binary:
      guard fragments == nil else { throw FeedError(.badFrame, "a message begins inside another one") }
      try checkSize(head.length)
    case .continuation:
      guard let fragments else { throw FeedError(.badFrame, "a fragment of no message") }
      try checkSize(fragments.readableBytes.addingReportingOverflow(head.length).partialValue)
      try checkSize(head.length)
    default: throw FeedError(.badFrame, "a frame of an unknown kind")
    }
  }

  private func checkSize(_ length: Int) throws(FeedError) {
    guard (0...maximumMessage).contains(length) else {
      throw FeedError(.messageTooLarge, "a message is larger than \(Figures.bytes(maximumMessage))")
    }
  }

  private mutating func take(_ head: Head, _ payload: ByteBuffer) throws(FeedError) -> Item? {
    switch head.opcode {
    // A copy: the answer waits its turn, and a view would keep all of the read's buffer.
    case .ping: return .ping(ByteBuffer(bytes: payload.readableBytesView))
    case .pong: return .pong(payload)
    case .connectionClose: return try close(payload)
    case .continuation:
      fragments?.writeImmutableBuffer(payload)
      guard head.isLast, let message = fragments else { return nil }
      fragments = nil
      return .message(message, isText: isFragmentedText)
    default:
      if head.isLast { return .message(payload, isText: head.opcode == .text) }
      isFragmentedText = head.opcode == .text
      // A copy of its own, which grows with the fragments, not a view of the read's buffer.
      fragments = ByteBuffer(bytes: payload.readableBytesView)
      return nil
    }
  }

  private func close(_ payload: ByteBuffer) throws(FeedError) -> Item {
    var payload = payload
    if payload.readableBytes == 0 { return .close(code: nil, reason: "") }
    guard let code = payload.readInteger(as: UInt16.self), Self.isValidCloseCode(code) else {
      throw FeedError(.badFrame, "a close frame with an invalid code")
    }
    guard let reason = String(validating: payload.readableBytesView, as: UTF8.self) else {
      throw FeedError(.badText, "a close frame whose reason is not UTF-8")
    }
    return .close(code: Int(code), reason: reason)
  }

  /// Reference: RFC 6455, section 7.4
  private static func isValidCloseCode(_ code: UInt16) -> Bool {
    switch code {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }
}
