import Base

/// The patience with the process that holds the log: for as long as it shows that it works, up to a limit, and for a
/// while without any sign of it. A pure value.
struct HolderPatience {
  enum Verdict: Equatable {
    case wait
    /// Tells the operator that it does not answer, once.
    case say
    /// Gives up, after so long without a sign.
    case giveUp(Duration)
  }

  /// The time that an answer may take: a loop that is stopped waits for what it has on its way, and each of several
  /// deliveries for its sink.
  var limit = Duration.seconds(300)
  /// The time without a sign of life after which it is given up.
  var silence = Duration.seconds(30)
  /// The time between two looks for one.
  var pause = Duration.seconds(1)

  private var start: Duration?
  private var heardAt = Duration.zero
  private var hasSaid = false

  init(limit: Duration = .seconds(300), silence: Duration = .seconds(30), pause: Duration = .seconds(1)) {
    self.limit = limit
    self.silence = silence
    self.pause = pause
  }

  /// The request is on its way.
  mutating func began(at now: Duration) {
    start = now
    heardAt = now
  }

  /// There is no answer yet.
  ///
  /// - Parameter isAlive: whether it has answered another question meanwhile.
  mutating func waited(isAlive: Bool, at now: Duration) -> Verdict {
    if now - (start ?? now) >= limit { return .giveUp(now - (start ?? now)) }
    if isAlive {
      heardAt = now
      return .wait
    }
    guard hasSaid else {
      hasSaid = true
      return .say
    }
    return now - heardAt >= silence ? .giveUp(now - heardAt) : .wait
  }
}
