import NIOCore

/// The messages that a connection is owed: made already, to be sent later, in the order in which they were made.
struct OwedMessages {
  private var lag = TimeAmount.zero
  private var frozenUntil: NIODeadline?
  private var queue: CircularBuffer<(message: ByteBuffer, due: NIODeadline)> = []
  /// Of all messages together.
  private(set) var bytes = 0

  var isEmpty: Bool { queue.isEmpty }

  /// Whether messages go through a queue that takes a fixed time, which is lost with the connection.
  var isLagging: Bool { lag > .zero }

  /// Nothing is sent until then.
  mutating func freeze(until moment: NIODeadline) { frozenUntil = max(frozenUntil ?? moment, moment) }

  /// Each message made from now on is sent so much later.
  mutating func delay(by lag: TimeAmount) { self.lag = lag }

  func isFrozen(at now: NIODeadline) -> Bool { frozenUntil.map { now < $0 } ?? false }

  /// Whether a message that is made now has to wait.
  func holds(at now: NIODeadline) -> Bool { isLagging || !queue.isEmpty || isFrozen(at: now) }

  mutating func append(_ message: ByteBuffer, at now: NIODeadline) {
    queue.append((message, now + lag))
    bytes += message.readableBytes
  }

  /// The moment to ask ``takeNext(at:)`` again; nil while nothing is owed.
  var nextDue: NIODeadline? {
    queue.first.map { first in max(first.due, frozenUntil ?? first.due) }
  }

  /// The oldest message, if it is due.
  mutating func takeNext(at now: NIODeadline) -> ByteBuffer? {
    guard let due = nextDue, due <= now else { return nil }
    let message = queue.removeFirst().message
    bytes -= message.readableBytes
    return message
  }

  /// Makes everything due at once.
  mutating func release() {
    frozenUntil = nil
    for place in queue.indices { queue[place].due = .uptimeNanoseconds(0) }
  }

  mutating func removeAll() {
    queue.removeAll()
    bytes = 0
  }
}
