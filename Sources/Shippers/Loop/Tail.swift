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
    var waits: [@Sendable () async throws -> Void] = [
      { _ = try await log.head(beyond: offset) }, { try await control.untilEnding() },
    ]
    if let limit { waits.append { try await clock.sleep(limit) } }
    try await untilFirstEnds(waits)
  }
}
