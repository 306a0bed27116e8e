/// Percent-encoding as SigV4 wants it: all but `A–Z a–z 0–9 - . _ ~`, with capital hexadecimal digits.
///
/// Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, UriEncode
package enum PercentEncoding {
  /// The path of an object: slashes stay.
  package static func path(_ text: String) -> String {
    var bytes: [UInt8] = []
    append(text.utf8, keepingSlashes: true, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A value in a query: slashes are encoded, too.
  package static func whole(_ text: String) -> String {
    var bytes: [UInt8] = []
    append(text.utf8, keepingSlashes: false, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  package static func append(_ text: some Sequence<UInt8>, keepingSlashes: Bool, to bytes: inout [UInt8]) {
    append(text, keeping: keepingSlashes ? "/" : "", to: &bytes)
  }

  /// - Parameter kept: ASCII characters that stay besides those that always do.
  package static func text(_ text: String, keeping kept: StaticString) -> String {
    var bytes: [UInt8] = []
    append(text.utf8, keeping: kept, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func append(
    _ text: some Sequence<UInt8>, keeping kept: StaticString, to bytes: inout [UInt8]
  ) {
    let kept = UnsafeBufferPointer(start: kept.utf8Start, count: kept.utf8CodeUnitCount)
    for byte in text {
      if isUnreserved(byte) || kept.contains(byte) {
        bytes.append(byte)
      } else {
        bytes.append(UInt8(ascii: "%"))
        bytes.append(HexDigit.upper(byte >> 4))
        bytes.append(HexDigit.upper(byte & 15))
      }
    }
  }

  /// Undoes `%xx`; a `%` that starts no such triple stays.
  package static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    var index = text.startIndex
    while index < text.endIndex {
      if text[index] == UInt8(ascii: "%"), index + 2 < text.endIndex,
        let high = HexDigit.value(text[index + 1]),
        let low = HexDigit.value(text[index + 2])
      {
        bytes.append(high << 4 | low)
        index += 3
      } else {
        bytes.append(text[index])
        index += 1
      }
    }
    return bytes
  }

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"):
      true
    default:
      false
    }
  }
}
