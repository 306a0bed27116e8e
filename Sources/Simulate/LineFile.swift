import Glibc
import NIOCore

/// A text file that grows line by line. What was appended reaches the system in pieces and with ``flush()``;
/// nothing is synced, because it is no part of what is tested.
struct LineFile: ~Copyable {
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
    pending.reserveCapacity(2 * Self.pieceSize)
  }

  deinit { close(descriptor) }

  mutating func write(_ text: String) { pending.writeString(text) }

  mutating func write(_ bytes: ByteBuffer) { pending.writeImmutableBuffer(bytes) }

  mutating func write(_ byte: UInt8) { pending.writeInteger(byte) }

  /// A whole line. Throws ``ExchangeError`` if a piece could not be written.
  mutating func writeLine(_ bytes: ByteBuffer) throws(ExchangeError) {
    write(bytes)
    try endLine()
  }

  /// Ends the line. Throws ``ExchangeError`` if a piece could not be written.
  mutating func endLine() throws(ExchangeError) {
    pending.writeInteger(UInt8(ascii: "\n"))
    if pending.readableBytes >= Self.pieceSize { try flush() }
  }

  /// Hands everything to the system.
  mutating func flush() throws(ExchangeError) {
    while pending.readableBytes > 0 {
      let count = pending.withUnsafeReadableBytes { Glibc.write(descriptor, $0.baseAddress!, $0.count) }
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
