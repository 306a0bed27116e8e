import Glibc

/// The machine's clock.
public enum WallClock {
  /// Epoch seconds UTC.
  @Sendable public static func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return time.tv_sec
  }
}
