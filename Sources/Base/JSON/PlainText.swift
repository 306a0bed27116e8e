/// The bytes of a JSON string that stand for themselves in every way to write it: ASCII without quote, backslash and
/// control characters.
enum PlainText {
  @inline(__always)
  static func isPlain(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
  }

  /// The place of the first byte from `start` on that is not plain, or the text's end; eight bytes at a time, as far as
  /// there are so many.
  ///
  /// Reference: https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord; of several bytes found in a word the
  /// first one is right.
  @inline(__always)
  static func end(in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highs: UInt64 = 0x8080_8080_8080_8080
    let bytes = UnsafeRawBufferPointer(text)
    var place = start
    while place &+ 8 <= bytes.count {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
      let quote = word ^ (ones &* 0x22)
      let backslash = word ^ (ones &* 0x5C)
      let delete = word ^ (ones &* 0x7F)
      let found =
        ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash) | ((delete &- ones) & ~delete)
        | ((word &- ones &* 0x20) & ~word) | word
      guard found & highs == 0 else { return place &+ (found & highs).trailingZeroBitCount / 8 }
      place &+= 8
    }
    while place < text.count, isPlain(text[place]) { place &+= 1 }
    return place
  }
}
