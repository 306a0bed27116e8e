import Base
import Synchronization
import WAL

/// Tells a shipper when to end; moved forward only.
package final class ShippingControl: Sendable {
  private let drain = Latch<Void>()
  private let stop = Latch<Void>()
  private let reactions = Mutex<[Reaction]>([])

  package init() {}

  /// From now on ship what the log has, a short last batch too, and end when nothing is left.
  package func startDraining() {
    drain.set(())
    react()
  }

  /// From now on start nothing; what is on its way may finish.
  package func startStopping() {
    stop.set(())
    drain.set(())
    react()
  }

  private func react() {
    for reaction in reactions.withLock({ $0 }) { reaction.body() }
  }

  private final class Reaction: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Runs `work`; where the shippers are to drain or to stop meanwhile, `reaction` is called at that moment. Cheaper
  /// than a task that waits for it.
  func reacting<T>(
    _ reaction: @escaping @Sendable () -> Void, during work: () async throws -> T
  ) async rethrows -> T {
    let reaction = Reaction(reaction)
    reactions.withLock { $0.append(reaction) }
    defer { reactions.withLock { $0.removeAll { $0 === reaction } } }
    return try await work()
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
