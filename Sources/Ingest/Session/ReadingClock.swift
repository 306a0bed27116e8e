/// A clock that stands still while sockets are not read, so that nobody is blamed for what lies unread.
///
/// It goes on where it stopped rather than starting anew: pauses follow one another quickly under load, and a
/// limit that began again each time would never be reached.
struct ReadingClock: Equatable, Sendable {
  private var lostToPauses = Duration.zero
  private var pausedSince: Duration?

  var isPaused: Bool { pausedSince != nil }

  /// The time on this clock at a time on the monotonic one.
  func time(at now: Duration) -> Duration { (pausedSince ?? now) - lostToPauses }

  /// The moment in which this clock will show a time, on the monotonic clock; nil as long as it stands still.
  func moment(of time: Duration) -> Duration? { isPaused ? nil : time + lostToPauses }

  mutating func pause(at now: Duration) { pausedSince = pausedSince ?? now }

  /// Returns how long it stood still.
  @discardableResult
  mutating func resume(at now: Duration) -> Duration {
    guard let since = pausedSince else { return .zero }
    lostToPauses += now - since
    pausedSince = nil
    return now - since
  }
}
