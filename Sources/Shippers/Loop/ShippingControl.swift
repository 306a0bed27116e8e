import Base
import WAL

/// Tells a shipper when to end; moved forward only.
package final class ShippingControl: Sendable {
  private let drain = Latch<Void>()
  private let stop = Latch<Void>()

  package init() {}

  /// From now on ship what the log has, a short last batch too, and end when nothing is left.
  package func startDraining() { drain.set(()) }

  /// From now on start nothing; what is on its way may finish.
  package func startStopping() {
    stop.set(())
    drain.set(())
  }

  package var isDraining: Bool { drain.value != nil }
  package var isStopping: Bool { stop.value != nil }

  /// Waits until the shippers are to drain or to stop.
  /// - Throws: `CancellationError`.
  func untilEnding() async throws { try await drain.wait() }

  /// Waits until the shippers are to stop.
  /// - Throws: `CancellationError`.
  func untilStopping() async throws { try await stop.wait() }

  /// Sleeps, unless the shippers are to stop.
  /// - Throws: `ShippingStopped` if they are, `CancellationError`.
  func pause(_ duration: Duration, clock: ShippingClock) async throws {
    if !isStopping {
      try await untilFirstEnds([{ try await clock.sleep(duration) }, { try await self.stop.wait() }])
    }
    if isStopping { throw ShippingStopped() }
  }
}

/// A delivery was given up between two tries, because the shippers are to stop: the next start delivers it.
struct ShippingStopped: Error {
}
