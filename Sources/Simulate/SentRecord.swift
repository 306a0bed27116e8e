import Glibc
import NIOCore

/// Writes down what the exchange sent, one message a line, for a test to compare with what arrived.
///
/// A message that went to several clients is one line. Lines reach the file in pieces and at the end; nothing
/// is synced, because the record is no part of what is tested.
struct SentRecord: ~Copyable {
  private let path: String
  private let descriptor: Int32
  private var pending = ByteBuffer()

  private static let pieceSize = 256 * 1024

  /// Makes the file or empties it. Throws ``ExchangeError`` if that cannot be done.
  init(path: String) throws(ExchangeError) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw ExchangeError(code: .recordUnwritable, subject: path, reason: String(cString: strerror(errno)))
    }
  }

  deinit { close(descriptor) }

  mutating func append(_ message: ByteBuffer) throws(ExchangeError) {
    pending.writeImmutableBuffer(message)
    pending.writeInteger(UInt8(ascii: "\n"))
    if pending.readableBytes >= Self.pieceSize { try flush() }
  }

  /// Hands everything to the system.
  mutating func flush() throws(ExchangeError) {
    while pending.readableBytes > 0 {
      let count = pending.withUnsafeReadableBytes { write(descriptor, $0.baseAddress!, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw ExchangeError(
          code: .recordUnwritable, subject: path, reason: String(cString: strerror(errno)))
      }
      pending.moveReaderIndex(forwardBy: count)
    }
    pending.clear()
  }
}
