/// The attempts to connect, kept below the exchange's limit, counted over a sliding window and over all slots; none
/// at all while the exchange has asked for a pause.
struct AttemptLimiter: Equatable, Sendable {
  let limit: Int
  let window: Duration
  private var attempts: [Duration]
  private var heldUntil: Duration?

  /// - Parameters:
  ///   - ages: how long before `now` each attempt of an earlier run was made. What lies ahead, because the
  ///     clock that measured it was set back, counts as made now.
  ///   - now: of the monotonic clock that the other calls use.
  init(
    limit: Int, window: Duration, ages: [Duration] = [], at now: Duration = .zero
  ) {
    self.limit = limit
    self.window = window
    attempts = ages.map { now - max($0, .zero) }.sorted()
  }

  /// The wait until an attempt is allowed; zero if it is now.
  /// - Parameter isUrgent: nothing is received until it succeeds. The last tenth of the attempts is kept for
  ///   those.
  mutating func wait(at now: Duration, isUrgent: Bool = true) -> Duration {
    max(hold(at: now), waitForRoom(at: now, isUrgent: isUrgent))
  }

  /// The rest of the pause that the exchange has asked for.
  func hold(at now: Duration) -> Duration { max(heldUntil.map { $0 - now } ?? .zero, .zero) }

  /// Allows no attempt before `end`. A hold that is there already is never made shorter.
  /// - Returns: whether it lasts longer now.
  mutating func hold(until end: Duration) -> Bool {
    if let heldUntil, heldUntil >= end { return false }
    heldUntil = end
    return true
  }

  private mutating func waitForRoom(at now: Duration, isUrgent: Bool) -> Duration {
    if let kept = attempts.firstIndex(where: { now - $0 < window }) {
      attempts.removeFirst(kept)
    } else {
      attempts.removeAll(keepingCapacity: true)
    }
    let allowed = isUrgent ? limit : limit - limit / 10
    guard attempts.count >= allowed else { return .zero }
    return attempts[attempts.count - allowed] + window - now
  }

  mutating func record(at now: Duration) { attempts.append(now) }
}
