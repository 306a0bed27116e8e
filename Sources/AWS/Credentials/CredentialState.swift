/// The state of the credentials: what is known of them, and who has to do what about it.
///
/// Keys are used past their expiry when no newer ones can be had: a clock may be wrong, and the service decides.
///
/// Pure: the time comes in, seconds of a clock that nobody sets, and the caller carries out what comes back.
struct CredentialState {
  enum Step: Equatable {
    case use(Credentials)
    /// Ask the provider, then call `loaded`, `failed` or `abandoned`; nobody else is told to meanwhile.
    case load
    /// Somebody is asking; ask again when they are done.
    case wait
    /// The provider has failed a moment ago, and is left alone for another.
    case fail
  }

  /// New ones are fetched when a third of the lifetime is left, but at most these seconds before expiry.
  static let longestLead = 300
  /// The longest pause between two attempts to refresh while the old ones still serve.
  static let longestPause = 30
  /// The same when they have expired and are used all the same.
  static let longestPauseExpired = 60
  /// The same while there are none: somebody may be repairing it.
  static let longestPauseWithout = 10
  /// Keys that a service has refused are fetched anew, but not more often than this.
  static let refusalPause = 10

  private var current: Credentials?
  /// nil for keys that do not expire.
  private var expiresAt: Int?
  private var isRefused = false
  private(set) var isLoading = false
  private(set) var failures = 0
  private var dueAt = Int.max
  private var nextAttempt = Int.min
  private var nextForced = Int.min

  mutating func step(now: Int) -> Step {
    guard let current else {
      if isLoading { return .wait }
      return now < nextAttempt ? .fail : load()
    }
    let isExpired = isExpired(now)
    if isLoading {
      // The first attempt may bring better ones at once; a source that fails or hangs holds nobody up.
      return (isRefused || (isExpired && nextAttempt == .min)) && failures == 0 ? .wait : .use(current)
    }
    if now < nextAttempt || (!isRefused && !isExpired && now < dueAt) { return .use(current) }
    return load()
  }

  private mutating func load() -> Step {
    isLoading = true
    return .load
  }

  private func isExpired(_ now: Int) -> Bool { expiresAt.map { $0 <= now } ?? false }

  /// Seconds until the keys expire, below zero when they have; nil without keys, and for keys that do not.
  func secondsLeft(now: Int) -> Int? { expiresAt.map { $0 - now } }

  /// - Parameters:
  ///   - lifetime: of the keys, seconds from now on; zero and less for keys that come expired, nil for keys that do
  ///     not expire.
  ///   - jitter: from 0 to 1: many instances that started together shall not all refresh together.
  mutating func loaded(_ credentials: Credentials, lifetime: Int?, now: Int, jitter: Double) {
    current = credentials
    isRefused = false
    isLoading = false
    failures = 0
    nextAttempt = .min
    expiresAt = lifetime.map { now + $0 }
    guard let lifetime else {
      dueAt = .max
      return
    }
    guard lifetime > 0 else {
      // The provider has nothing newer.
      nextAttempt = now + Self.longestPauseExpired
      return
    }
    // A provider may hand out again what it has; by the time that is left it is then asked ever more often, but
    // never for each request.
    let lead = min(Self.longestLead, lifetime / 3)
    dueAt = now + lifetime - lead + Int(Double(lead) / 4 * jitter)
  }

  /// The provider failed. Gives what may be used all the same.
  mutating func failed(now: Int) -> Credentials? {
    isLoading = false
    failures += 1
    // Once more at once, since much is over by then; after that 1, 2, 4 … seconds later.
    let pause = failures == 1 ? 0 : 1 << min(failures - 2, 10)
    guard let current else {
      nextAttempt = now + min(pause, Self.longestPauseWithout)
      return nil
    }
    let left = secondsLeft(now: now) ?? .max
    nextAttempt =
      now
      + (left > 0 ? min(pause, Self.longestPause, max(1, left / 4)) : min(pause, Self.longestPauseExpired))
    return current
  }

  /// The task that was asking is gone; the next one asks.
  mutating func abandoned() {
    isLoading = false
  }

  /// The service refused these: they are fetched anew before the next use, unless that has just been done in vain.
  /// Newer ones stay.
  mutating func invalidate(_ rejected: Credentials, now: Int) {
    guard let current, current.hasSameKeys(as: rejected), now >= nextForced else { return }
    isRefused = true
    nextForced = now + Self.refusalPause
    nextAttempt = .min
  }
}
