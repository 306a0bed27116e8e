import CDeflate

/// CRC-32 as gzip has it, for one message in pieces.
///
/// libdeflate computes it with the processor's carry-less multiplication, seven times as fast as zlib does.
///
/// Reference: RFC 1952, section 8; libdeflate.h, libdeflate_crc32.
package struct CRC32: Sendable {
  /// The checksum of all that was given.
  package private(set) var value: UInt32 = 0

  package init() {}

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    // Without bytes it would begin anew.
    guard let base = bytes.baseAddress else { return }
    value = libdeflate_crc32(value, base, bytes.count)
  }
}
