/// A small seeded generator: the same seed gives the same prices on every machine.
///
/// Reference: https://prng.di.unimi.it/splitmix64.c
struct SplitMix: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// A generator of its own for each name (a symbol), so that one symbol's prices do not depend on which
  /// others are asked for.
  init(seed: UInt64, name: String) {
    // FNV-1a, because `Hasher` is seeded anew in every process.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    state = seed ^ hash
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// A whole number in `0 ..< bound`. The bias of the multiplication is far below what a made-up price shows.
  mutating func below(_ bound: Int64) -> Int64 {
    Int64(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// A number in `0 ..< 1`.
  mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// True with this probability: never at 0, always at 1.
  mutating func chance(_ share: Double) -> Bool { share > 0 && fraction() < share }
}
