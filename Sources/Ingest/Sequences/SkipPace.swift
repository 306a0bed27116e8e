/// The pace at which one stream skips, for telling a stream that loses something from one whose ids prove nothing:
/// that skips once in a hundred events or more often, in each of ten minutes in a row.
struct SkipPace: Sendable {
  private static let minute = Duration.seconds(60)
  private static let minutes = 10
  private static let eventsPerSkip = 100

  private var since: Duration
  /// The stream's count of events then.
  private var eventsBefore: Int
  private var skips = 1
  private var badMinutes = 0

  /// Begins with a first skip.
  init(at now: Duration, events: Int) {
    since = now
    eventsBefore = events
  }

  /// - Parameter events: the stream's count of events.
  /// - Returns: whether its ids prove nothing.
  mutating func skipped(at now: Duration, events: Int) -> Bool {
    let length = now - since
    guard length >= Self.minute else {
      skips += 1
      return false
    }
    // A whole minute without a skip ends the row.
    let isBad = length < Self.minute * 2 && skips * Self.eventsPerSkip >= events - eventsBefore
    badMinutes = isBad ? badMinutes + 1 : 0
    (since, eventsBefore, skips) = (now, events, 1)
    return badMinutes >= Self.minutes
  }
}
