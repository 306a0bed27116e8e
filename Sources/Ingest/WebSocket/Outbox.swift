import NIOCore

/// The messages that this side wants to send on one connection, held back to what the exchange allows.
///
/// A pure value. Pongs go first, because a server drops a client that does not answer; everything else keeps
/// its order. When more pongs wait than fit, the oldest goes: a server looks for the newest.
///
/// Reference: RFC 6455, section 5.5.3
struct Outbox: Sendable {
  enum Message: Equatable, Sendable {
    case ping
    case pong(ByteBuffer)
    case text(String)
  }

  /// Messages in any stretch of `window`, which is a little more than the exchange's second: on their way
  /// messages may come closer together.
  let limit: Int
  let window: Duration
  /// Pongs that may wait.
  let pongCapacity: Int

  private var pongs: [ByteBuffer] = []
  /// Bounded by who asks: one ping at a time, and a connection's few requests.
  private var others: [Message] = []
  /// The moments in which the newest messages left, at most `limit`.
  private var departures: [Duration] = []

  init(limit: Int, window: Duration = .milliseconds(1100), pongCapacity: Int = 64) {
    self.limit = limit
    self.window = window
    self.pongCapacity = pongCapacity
  }

  mutating func add(_ message: Message) {
    switch message {
    case .pong(let payload):
      if pongs.count == pongCapacity { pongs.removeFirst() }
      pongs.append(payload)
    case .ping:
      if !others.contains(.ping) { others.append(.ping) }
    case .text: others.append(message)
    }
  }

  /// The message that may leave now, taken out; times are of one monotonic clock.
  mutating func next(at now: Duration) -> Message? {
    guard !isEmpty, wait(at: now) == .zero else { return nil }
    if departures.count == limit { departures.removeFirst() }
    departures.append(now)
    return pongs.isEmpty ? others.removeFirst() : .pong(pongs.removeFirst())
  }

  /// The wait of the next message; nil if there is none.
  func pause(at now: Duration) -> Duration? { isEmpty ? nil : wait(at: now) }

  private var isEmpty: Bool { pongs.isEmpty && others.isEmpty }

  private func wait(at now: Duration) -> Duration {
    guard departures.count == limit, let first = departures.first else { return .zero }
    return max(.zero, first + window - now)
  }
}
