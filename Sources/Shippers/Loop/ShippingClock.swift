import Base
import WAL

/// The clocks that shipping uses, as parameters.
package struct ShippingClock: Sendable {
  /// Monotonic, from any start.
  package var now: @Sendable () -> Duration
  /// - Throws: `CancellationError`.
  package var sleep: @Sendable (Duration) async throws -> Void
  /// Microseconds since 1970, UTC.
  package var wall: @Sendable () -> Int64

  package init(
    now: @escaping @Sendable () -> Duration, sleep: @escaping @Sendable (Duration) async throws -> Void,
    wall: @escaping @Sendable () -> Int64
  ) {
    self.now = now
    self.sleep = sleep
    self.wall = wall
  }

  /// The machine's.
  package static let system: ShippingClock = {
    let clock = ContinuousClock()
    let start = clock.now
    return ShippingClock(
      now: { start.duration(to: clock.now) }, sleep: { try await clock.sleep(for: $0) }, wall: WallClock.now)
  }()
}
