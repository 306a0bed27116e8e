import Base
import WAL

/// Waits at the head of the log for the next ticks, for a deadline, or for the end.
package struct Tail: Sendable {
  package let log: TickLog
  package let control: ShippingControl
  package let clock: ShippingClock

  /// Returns when the log's head is beyond `offset`, when the shippers are to drain or stop, or after `limit`.
  /// - Throws: `CancellationError`.
  package func wait(beyond offset: Offset, atMost limit: Duration? = nil) async throws {
    if log.head > offset || control.isDraining { return }
    guard let limit else { return try await waitWithoutLimit(beyond: offset) }
    try await untilFirstEnds([
      { try await waitWithoutLimit(beyond: offset) }, { try await clock.sleep(limit) },
    ])
  }

  /// Returns when the log's head is beyond `offset`, when the shippers are to drain or stop, or at a time on the
  /// machine's monotonic clock.
  ///
  /// - Parameter thread: tells the time, without waking another one.
  /// - Throws: `CancellationError`.
  package func gather(
    beyond offset: Offset, until time: Duration, on thread: ThreadExecutor.Tasks
  ) async throws {
    if log.head > offset || control.isDraining || MonotonicClock.now() >= time { return }
    let (log, control) = (log, control)
    let isOver = Latch<Void>()
    thread.call(at: time) {
      isOver.set(())
      log.recheckHead()
    }
    try await control.reacting {
      log.recheckHead()
    } during: {
      _ = try await log.head(beyond: offset) { control.isDraining || isOver.value != nil }
    }
  }

  /// One task that is woken by either, since this is waited for after each commit of ticks.
  private func waitWithoutLimit(beyond offset: Offset) async throws {
    let (log, control) = (log, control)
    try await control.reacting {
      log.recheckHead()
    } during: {
      _ = try await log.head(beyond: offset) { control.isDraining }
    }
  }
}
