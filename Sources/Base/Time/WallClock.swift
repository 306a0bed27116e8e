import Glibc

/// The machine's time of day, in the project's one unit: microseconds since 1970, UTC.
package enum WallClock {
  /// Microseconds since 1970, UTC.
  @Sendable package static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
  }

  /// Whole seconds since 1970, UTC, as `Date` headers, signatures and expiries count them.
  @Sendable package static func epochSeconds() -> Int {
    Int(now() / 1_000_000)
  }
}
