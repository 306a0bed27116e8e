import WAL

/// What one read of the socket brought.
struct Delivery: Sendable {
  var ticks = TickBatch()
  var rejected: [RejectedInput] = []
  /// Data messages, whatever they were.
  var messages = 0
  /// Microseconds UTC, taken once for the read.
  var receivedAt: Int64 = 0

  var isEmpty: Bool { messages == 0 }
}
