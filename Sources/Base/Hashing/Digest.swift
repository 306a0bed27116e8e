/// 32 bytes that SHA-256 made.
package struct Digest: Sendable, Equatable {
  package let bytes: InlineArray<32, UInt8>

  /// 64 lower-case hexadecimal digits.
  package var hex: String {
    var text: [UInt8] = []
    appendHex(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// As in `x-amz-checksum-sha256`. Reference: RFC 4648 §4.
  package var base64: String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(44)
    for start in stride(from: 0, to: 30, by: 3) {
      let group = UInt32(bytes[start]) << 16 | UInt32(bytes[start + 1]) << 8 | UInt32(bytes[start + 2])
      for shift in [18, 12, 6, 0] { text.append(alphabet[Int(group >> UInt32(shift)) & 63]) }
    }
    // 32 = 10 × 3 + 2: the last group has two bytes.
    let rest = UInt32(bytes[30]) << 16 | UInt32(bytes[31]) << 8
    for shift in [18, 12, 6] { text.append(alphabet[Int(rest >> UInt32(shift)) & 63]) }
    text.append(UInt8(ascii: "="))
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
