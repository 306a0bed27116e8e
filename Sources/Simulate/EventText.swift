import NIOCore

/// An event's JSON in a byte buffer that is used again for every event, written without making strings.
struct EventText {
  private(set) var buffer: ByteBuffer

  /// 1 KiB is more than any single event but the array message needs; that one grows it once.
  init() {
    buffer = ByteBuffer()
    buffer.reserveCapacity(1024)
  }

  mutating func clear() { buffer.clear() }

  mutating func literal(_ text: StaticString) {
    buffer.writeStaticString(text)
  }

  mutating func text(_ text: [UInt8]) {
    buffer.writeBytes(text)
  }

  mutating func integer(_ value: Int64) {
    digits(UInt64(value.magnitude), negative: value < 0, decimals: 0)
  }

  /// A quantity in units of 10⁻⁸ with the exchange's eight decimals, in quotes: `"19182.10000000"`.
  mutating func amount(_ units: Int64) {
    buffer.writeInteger(UInt8(ascii: "\""))
    digits(units.magnitude, negative: units < 0, decimals: 8)
    buffer.writeInteger(UInt8(ascii: "\""))
  }

  private mutating func digits(_ magnitude: UInt64, negative: Bool, decimals: Int) {
    // 20 digits, a sign, a point: written from the right.
    _ = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 32) { target in
      var place = 32
      var rest = magnitude
      var written = 0
      repeat {
        if decimals > 0, written == decimals {
          place -= 1
          target[place] = UInt8(ascii: ".")
        }
        place -= 1
        let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
        target[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
        rest = quotient
        written += 1
      } while rest > 0 || written <= decimals
      if negative {
        place -= 1
        target[place] = UInt8(ascii: "-")
      }
      let count = 32 - place
      target.baseAddress!.copyMemory(from: target.baseAddress! + place, byteCount: count)
      return count
    }
  }
}
