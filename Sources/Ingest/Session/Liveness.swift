/// The check whether an open connection still carries anything: a ping of our own now and then, and anything at all
/// expected in answer. Times are of a clock that stands still while sockets are not read.
struct Liveness: Equatable, Sendable {
  enum Finding: Equatable { case nothing, pingIsDue, dead }

  private let interval: Duration
  private let timeout: Duration
  private var pingDue: Duration
  private var answerDue: Duration?

  init(interval: Duration, timeout: Duration, openedAt time: Duration) {
    self.interval = interval
    self.timeout = timeout
    pingDue = time + interval
  }

  /// When to look again.
  var deadline: Duration { answerDue.map { min($0, pingDue) } ?? pingDue }

  /// A ping is due now.
  mutating func hurry(at time: Duration) { pingDue = min(pingDue, time) }

  mutating func arrived() { answerDue = nil }

  /// A ping that is due counts as sent.
  mutating func look(at time: Duration) -> Finding {
    if let answerDue, time >= answerDue { return .dead }
    guard time >= pingDue else { return .nothing }
    pingDue = time + interval
    answerDue = answerDue ?? time + timeout
    return .pingIsDue
  }
}
