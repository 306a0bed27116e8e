import NIOCore

/// The pings that one client has not answered yet. A pong answers the ping whose payload it repeats, and with
/// it every earlier one.
///
/// Reference: RFC 6455, section 5.5.3
struct PingLedger: Sendable {
  private let timeout: TimeAmount
  private var unanswered: [(payload: ByteBuffer, sent: NIODeadline)] = []

  init(timeout: TimeAmount) { self.timeout = timeout }

  mutating func sent(_ payload: ByteBuffer, at now: NIODeadline) {
    unanswered.append((payload, now))
  }

  /// False if no outstanding ping had this payload; such a pong answers nothing.
  mutating func received(_ payload: ByteBuffer) -> Bool {
    guard let place = unanswered.lastIndex(where: { $0.payload == payload }) else { return false }
    unanswered.removeFirst(place + 1)
    return true
  }

  /// Whether the client failed to answer in time.
  func isOverdue(at now: NIODeadline) -> Bool {
    guard let first = unanswered.first else { return false }
    return now - first.sent >= timeout
  }
}
