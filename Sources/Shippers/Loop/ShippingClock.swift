import WAL

/// The clocks that shipping uses, as parameters.
public struct ShippingClock: Sendable {
  /// Monotonic, from any start.
  public var now: @Sendable () -> Duration
  /// - Throws: `CancellationError`.
  public var sleep: @Sendable (Duration) async throws -> Void
  /// Microseconds since 1970, UTC.
  public var wall: @Sendable () -> Int64

  public init(
    now: @escaping @Sendable () -> Duration, sleep: @escaping @Sendable (Duration) async throws -> Void,
    wall: @escaping @Sendable () -> Int64
  ) {
    self.now = now
    self.sleep = sleep
    self.wall = wall
  }

  /// The machine's.
  public static let system: ShippingClock = {
    let clock = ContinuousClock()
    let start = clock.now
    return ShippingClock(
      now: { start.duration(to: clock.now) }, sleep: { try await clock.sleep(for: $0) }, wall: WallClock.now)
  }()
}
