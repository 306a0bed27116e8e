import Base

/// A key for HMAC-SHA-256, padded once for many messages.
///
/// Reference: RFC 2104.
struct HMACKey: Sendable {
  private static let blockSize = 64
  private let inner: [UInt8]
  private let outer: [UInt8]

  init(_ key: [UInt8], _ hash: inout SHA256) {
    var block = key
    if block.count > Self.blockSize {
      hash.update(key)
      block = []
      let digest = hash.finish().bytes
      for index in digest.indices { block.append(digest[index]) }
    }
    block += [UInt8](repeating: 0, count: Self.blockSize - block.count)
    inner = block.map { $0 ^ 0x36 }
    outer = block.map { $0 ^ 0x5c }
  }

  /// `hash` is between two messages, and is again afterwards.
  func authenticate(_ message: [UInt8], _ hash: inout SHA256) -> Digest {
    hash.update(inner)
    hash.update(message)
    let digest = hash.finish()
    hash.update(outer)
    withUnsafeBytes(of: digest.bytes) { hash.update($0) }
    return hash.finish()
  }
}
