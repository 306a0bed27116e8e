import CZlib

/// A gzip stream in the making, byte for byte as zlib makes it. No time is in its header, so that equal text gives equal
/// bytes.
///
/// Header and trailer are written here, because zlib's own CRC-32 takes seven times as long as ``CRC32``.
///
/// Reference: RFC 1952, section 2.3; zlib's manual, deflateInit2 (-15: neither header nor trailer).
package struct Deflate: ~Copyable {
  private let stream: UnsafeMutablePointer<z_stream>
  private let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 16 << 10)
  package private(set) var output: [UInt8]
  private var crc = CRC32()
  /// Bytes of text, as far as the trailer holds them.
  private var length: UInt32 = 0

  /// - Parameter level: 0 to 9.
  package init(level: Int) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let code = deflateInit2_(
      stream, Int32(level), Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "zlib could not start (\(code)): out of memory")
    output = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, Self.extraFlags(level: level), 3]
  }

  /// Of the header: 2 for the slowest way, 4 for the fastest.
  private static func extraFlags(level: Int) -> UInt8 { level == 9 ? 2 : level < 2 ? 4 : 0 }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
    buffer.deallocate()
  }

  /// Packs more of the text.
  package mutating func add(_ bytes: UnsafeBufferPointer<UInt8>) {
    crc.update(UnsafeRawBufferPointer(bytes))
    length &+= UInt32(truncatingIfNeeded: bytes.count)
    // zlib does not write to its input; its interface lacks the const.
    stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
    stream.pointee.avail_in = uInt(bytes.count)
    run(Z_NO_FLUSH)
  }

  /// Ends the stream.
  package mutating func finish() {
    stream.pointee.avail_in = 0
    run(Z_FINISH)
    for word in [crc.value, length] {
      withUnsafeBytes(of: word.littleEndian) { output.append(contentsOf: $0) }
    }
  }

  private mutating func run(_ flush: Int32) {
    while true {
      stream.pointee.next_out = buffer.baseAddress
      stream.pointee.avail_out = uInt(buffer.count)
      let code = deflate(stream, flush)
      output.append(contentsOf: buffer[..<(buffer.count - Int(stream.pointee.avail_out))])
      precondition(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, "zlib failed (\(code))")
      if stream.pointee.avail_out > 0 { return }
    }
  }
}

// Safe because what its pointers point to has one owner. Breaks if a pointer is handed out.
extension Deflate: @unchecked Sendable {}
