/// The times at which a lack of data is worth a look: after a while, and while there is nothing to find after
/// twice the time, so that a quiet market costs few connections. Times are of a clock that stands still while
/// sockets are not read.
struct Silence: Equatable, Sendable {
  private let interval: Duration
  private let mostDoublings: Int
  private var doublings = 0
  /// Of the last data, or of the connection's opening before any.
  private(set) var since: Duration
  /// The moment of the next look.
  private(set) var due: Duration

  init(interval: Duration, mostDoublings: Int, since time: Duration) {
    self.interval = interval
    self.mostDoublings = mostDoublings
    since = time
    due = time + interval
  }

  /// The moment in which it has lasted for the interval.
  var isLongAt: Duration { since + interval }

  func length(at time: Duration) -> Duration { time - since }

  mutating func broken(at time: Duration) {
    since = time
    doublings = 0
    due = time + interval
  }

  /// A look was in vain. Returns the time until the next one.
  mutating func nothingFound(at time: Duration) -> Duration {
    doublings = min(doublings + 1, mostDoublings)
    let wait = interval * (1 << doublings)
    due = time + wait
    return wait
  }
}
