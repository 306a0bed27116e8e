import WAL

/// What one read of the socket brought, or what was held of such until now.
struct Delivery: Sendable {
  var ticks = TickBatch()
  var rejected: [RejectedInput] = []
  /// Data messages, whatever they were.
  var messages = 0
  /// Microseconds UTC, taken once for the read.
  var receivedAt: Int64 = 0

  var isEmpty: Bool { messages == 0 && ticks.isEmpty && rejected.isEmpty }

  /// Decodes a message into the ticks or the rejected input.
  mutating func add(
    _ message: UnsafeBufferPointer<UInt8>, decoder: inout MessageDecoder
  ) -> MessageDecoder.Outcome {
    let outcome = decoder.decode(message, receivedAt: receivedAt, into: &ticks, rejected: &rejected)
    switch outcome {
    case .ticks, .rejected: messages += 1
    // Said by the exchange about the connection: no data, and no end of a gap.
    case .answer, .serverShutdown: break
    }
    return outcome
  }
}
