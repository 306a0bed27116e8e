import Glibc

/// The machine's monotonic clock, as the time since it was started; it stands still while the machine sleeps.
package enum MonotonicClock {
  package static func now() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
