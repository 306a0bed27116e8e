import Base

/// A maker of inputs that are nearly right: seeds with bytes changed, left out, doubled, put elsewhere, and numbers
/// made extreme. The same seed makes the same inputs.
struct Mutator {
  private var random: SplitMix64
  private let seeds: [[UInt8]]
  private let longest: Int

  private static let words: [String] = [
    "-1", "+1", "0", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "99999999999999999999", "1e999",
    "0x10", "nan", "\u{0}", "\r\n", "\n", "\"", "\\", "\\u0000", "\\ud800", "{", "}", "[", "]", "%", "%ff",
    "é", "💩", "\u{feff}", " ",
    "\t", ",", ":", "=", "-", ".", "/", "@", "!", "&lt;", "<", "]]>",
  ]

  init(seed: UInt64, seeds: [[UInt8]], longest: Int) {
    random = SplitMix64(seed: seed)
    self.seeds = seeds.isEmpty ? [[]] : seeds
    self.longest = longest
  }

  mutating func next() -> [UInt8] {
    var bytes = seeds[below(seeds.count)]
    for _ in 0...below(6) { change(&bytes) }
    return Array(bytes.prefix(longest))
  }

  private mutating func change(_ bytes: inout [UInt8]) {
    let place = below(bytes.count + 1)
    let length = min(below(16) + 1, bytes.count - place)
    switch below(9) {
    case 0: if place < bytes.count { bytes[place] ^= 1 << UInt8(below(8)) }
    case 1: if place < bytes.count { bytes[place] = UInt8(below(256)) }
    case 2: bytes.removeSubrange(place..<place + length)
    case 3: bytes.insert(contentsOf: bytes[place..<place + length], at: below(bytes.count + 1))
    case 4: bytes.removeSubrange(place...)
    case 5: bytes.insert(contentsOf: Array(Self.words[below(Self.words.count)].utf8), at: place)
    case 6:
      let other = seeds[below(seeds.count)]
      bytes = Array(bytes[..<place]) + other[below(other.count + 1)...]
    case 7:
      bytes.replaceSubrange(
        place..<place + length, with: Array(repeating: [0, 0x7f, 0x80, 0xff][below(4)], count: length))
    default:
      // A number becomes another one.
      guard let start = bytes[place...].firstIndex(where: Self.isDigit) else { return }
      let end = bytes[start...].firstIndex { !Self.isDigit($0) } ?? bytes.endIndex
      bytes.replaceSubrange(start..<end, with: Array(Self.words[below(10)].utf8))
    }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

  private mutating func below(_ bound: Int) -> Int { Int(random.below(Int64(bound))) }
}
