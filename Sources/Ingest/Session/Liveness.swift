/// The check whether an open connection still carries anything: a ping of our own now and then, and anything at all
/// expected in answer. Before the connection counts as dead, an answer that does not come is asked for once more.
/// Times are of a clock that stands still while sockets are not read.
struct Liveness: Equatable, Sendable {
  enum Finding: Equatable { case nothing, pingIsDue, dead }

  /// The wait for an answer to a ping.
  private struct Wait: Equatable {
    var until: Duration
    /// True if the ping before was not answered either.
    var isLast: Bool
  }

  private let interval: Duration
  private let timeout: Duration
  private var pingDue: Duration
  private var wait: Wait?

  /// - Parameter timeout: for the answer to a ping; for that to the second in a row twice as long.
  init(interval: Duration, timeout: Duration, openedAt time: Duration) {
    self.interval = interval
    self.timeout = timeout
    pingDue = time + interval
  }

  /// The moment of the next look.
  var deadline: Duration { wait.map { min($0.until, pingDue) } ?? pingDue }

  /// A ping is due now.
  mutating func hurry(at time: Duration) { pingDue = min(pingDue, time) }

  /// True while a ping was not answered in time, and the next one is not answered yet.
  var isInDoubt: Bool { wait?.isLast == true }

  mutating func arrived() { wait = nil }

  /// A ping that is due counts as sent.
  mutating func look(at time: Duration) -> Finding {
    if let wait, time >= wait.until {
      if wait.isLast { return .dead }
      self.wait = Wait(until: time + timeout * 2, isLast: true)
    } else if time < pingDue {
      return .nothing
    }
    wait = wait ?? Wait(until: time + timeout, isLast: false)
    pingDue = time + interval
    return .pingIsDue
  }
}
