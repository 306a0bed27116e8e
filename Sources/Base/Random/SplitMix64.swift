/// A small seeded generator: the same seed gives the same numbers on every machine, so that a run can be repeated.
///
/// Reference: https://prng.di.unimi.it/splitmix64.c
package struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// A generator of its own for each name, so that one name's numbers do not depend on which others are used.
  package init(seed: UInt64, name: String) {
    // FNV-1a, because `Hasher` is seeded anew in every process.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    state = seed ^ hash
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

extension RandomNumberGenerator {
  /// A whole number in `0 ..< bound` from one draw; its bias is `bound` in 2⁶⁴.
  package mutating func below(_ bound: Int64) -> Int64 {
    Int64(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// A number in `0 ..< 1` from one draw, so that a generator made for a test cannot be rejected for ever.
  package mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// True with this probability: never at 0, always at 1.
  package mutating func chance(_ share: Double) -> Bool { share > 0 && fraction() < share }
}
