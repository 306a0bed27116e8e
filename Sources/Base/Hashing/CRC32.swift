import CZlib

/// CRC-32 over zlib, for one message in pieces.
///
/// Reference: RFC 1952, section 8; zlib's manual, crc32.
package struct CRC32: Sendable {
  private var state = crc32(0, nil, 0)

  package init() {}

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
    state = crc32(state, base, uInt(bytes.count))
  }

  /// The checksum of all that was given.
  package var value: UInt32 { UInt32(state) }
}
