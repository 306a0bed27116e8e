import Glibc

/// A small seeded generator, so that a random test can be run again just as it failed.
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) {
    state = seed
  }

  /// A generator with a seed of its own, which it prints; `TICKWAL_TEST_SEED` in the environment overrides it.
  public static func forTest(_ name: String = #function) -> SplitMix64 {
    SplitMix64(seed: seedForTest(name))
  }

  /// The seed of such a generator, for tests that make several of it.
  public static func seedForTest(_ name: String = #function) -> UInt64 {
    let given = getenv("TICKWAL_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
    let seed = given ?? UInt64.random(in: .min ... .max)
    print("\(name): TICKWAL_TEST_SEED=\(seed)")
    return seed
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
