import Base
import Glibc
import NIOCore

/// A text file that grows line by line. What was appended reaches the system in pieces and with ``flush()``;
/// nothing is synced, because it is no part of what is tested.
struct LineFile: ~Copyable {
  private let file: Base.FileDescriptor
  private var pending = ByteBuffer()

  private static let pieceSize = 256 * 1024

  /// Makes the file or empties it. Throws ``ExchangeError`` if that cannot be done.
  init(path: String) throws(ExchangeError) {
    do {
      file = try Base.FileDescriptor(opening: path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
    } catch { throw ExchangeError(.recordUnwritable, error) }
    pending.reserveCapacity(2 * Self.pieceSize)
  }

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
    guard pending.withUnsafeReadableBytes({ FileBytes.write($0, to: file.number) }) else {
      throw ExchangeError(.recordUnwritable, SystemError.last("writing", file.path))
    }
    pending.clear()
  }
}
