/// Bytes as Base64 with padding.
///
/// Reference: RFC 4648, section 4.
package enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// The length of the text for so many bytes.
  package static func length(of count: Int) -> Int { (count + 2) / 3 * 4 }

  package static func append(_ bytes: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
    out.reserveCapacity(out.count + length(of: bytes.count))
    alphabet.withUnsafeBufferPointer { alphabet in
      var start = 0
      while start < bytes.count {
        let count = min(3, bytes.count - start)
        var group = UInt32(bytes[start]) << 16
        if count > 1 { group |= UInt32(bytes[start + 1]) << 8 }
        if count > 2 { group |= UInt32(bytes[start + 2]) }
        out.append(alphabet[Int(group >> 18)])
        out.append(alphabet[Int(group >> 12) & 63])
        out.append(count > 1 ? alphabet[Int(group >> 6) & 63] : UInt8(ascii: "="))
        out.append(count > 2 ? alphabet[Int(group) & 63] : UInt8(ascii: "="))
        start += count
      }
    }
  }
}
