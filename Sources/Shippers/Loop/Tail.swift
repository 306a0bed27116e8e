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

  /// Returns when the log has ticks from `next` on, and either so many or the time has come; or when the shippers are to
  /// drain or stop.
  ///
  /// - Parameters:
  ///   - time: on the machine's monotonic clock, whatever clock the shippers have.
  ///   - thread: tells the time, without waking another one.
  /// - Throws: `CancellationError`.
  package func gather(
    _ count: Int, from next: Offset, until time: Duration, on thread: ThreadExecutor.Tasks
  ) async throws {
    let last = next.advanced(by: count - 1)
    let isThere = { @Sendable [control] (head: Offset) in
      head >= last || control.isDraining || (head >= next && MonotonicClock.now() >= time)
    }
    if isThere(log.head) { return }
    if MonotonicClock.now() < time { thread.call(at: time) { [log] in log.recheckHead() } }
    try await head(when: isThere)
  }

  /// One task that is woken by either, since this is waited for after each commit of ticks.
  private func waitWithoutLimit(beyond offset: Offset) async throws {
    try await head { [control] in $0 > offset || control.isDraining }
  }

  private func head(when isWanted: @escaping @Sendable (Offset) -> Bool) async throws {
    let log = log
    try await control.reacting {
      log.recheckHead()
    } during: {
      _ = try await log.head(when: isWanted)
    }
  }
}
