/// 32 bytes that SHA-256 made.
package struct Digest: Sendable, Equatable {
  package let bytes: InlineArray<32, UInt8>

  /// 64 lower-case hexadecimal digits.
  package var hex: String {
    var text: [UInt8] = []
    appendHex(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// As in `x-amz-checksum-sha256`.
  package var base64: String {
    var text: [UInt8] = []
    withUnsafeBytes(of: bytes) { Base64.append($0.bindMemory(to: UInt8.self), to: &text) }
    return String(decoding: text, as: UTF8.self)
  }

  package func appendHex(to text: inout [UInt8]) {
    for index in bytes.indices {
      text.append(HexDigit.lower(bytes[index] >> 4))
      text.append(HexDigit.lower(bytes[index] & 15))
    }
  }

  package static func == (left: Digest, right: Digest) -> Bool {
    left.bytes.indices.allSatisfy { left.bytes[$0] == right.bytes[$0] }
  }
}
