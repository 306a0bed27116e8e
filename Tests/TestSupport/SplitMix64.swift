import Base
import Glibc

package typealias SplitMix64 = Base.SplitMix64

/// Generators for random tests, which can be run again just as they failed.
extension Base.SplitMix64 {
  /// A generator with a seed of its own, which it prints; `TICKWAL_TEST_SEED` in the environment overrides it.
  package static func forTest(_ name: String = #function) -> SplitMix64 {
    SplitMix64(seed: seedForTest(name))
  }

  /// The seed of such a generator, for tests that make several of it.
  package static func seedForTest(_ name: String = #function) -> UInt64 {
    let given = getenv("TICKWAL_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
    let seed = given ?? UInt64.random(in: .min ... .max)
    print("\(name): TICKWAL_TEST_SEED=\(seed)")
    return seed
  }
}
