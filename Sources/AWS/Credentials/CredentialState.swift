/// The state of the credentials: what is known of them, and who has to do what about it.
///
/// Pure: the time comes in, and the caller carries out what comes back. Times are epoch seconds UTC.
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
  /// The same while there are none: somebody may be repairing it.
  static let longestPauseWithout = 10
  /// Keys that a service has refused are fetched anew, but not more often than this.
  static let refusalPause = 10

  private var current: Credentials?
  private var isRefused = false
  private(set) var isLoading = false
  private(set) var failures = 0
  private var dueAt = Int.max
  private var nextAttempt = Int.min
  private var nextForced = Int.min

  mutating func step(now: Int) -> Step {
    let usable = usable(now)
    if let usable, !isRefused {
      if now < dueAt || isLoading || now < nextAttempt { return .use(usable) }
    } else if isLoading {
      return .wait
    } else if now < nextAttempt {
      return usable.map { .use($0) } ?? .fail
    }
    isLoading = true
    return .load
  }

  /// `jitter` is from 0 to 1: many instances that started together shall not all refresh together.
  mutating func loaded(_ credentials: Credentials, now: Int, jitter: Double) {
    current = credentials
    isRefused = false
    isLoading = false
    failures = 0
    nextAttempt = .min
    guard let expiration = credentials.expiration else {
      dueAt = .max
      return
    }
    // A provider may hand out again what it has; by the time that is left it is then asked ever more often, but
    // never for each request.
    let lead = min(Self.longestLead, max(0, expiration - now) / 3)
    dueAt = expiration - lead + Int(Double(lead) / 4 * jitter)
  }

  /// The provider failed. Gives what may be used all the same.
  mutating func failed(now: Int) -> Credentials? {
    isLoading = false
    failures += 1
    // Once more at once, since much is over by then; after that 1, 2, 4 … seconds later.
    let pause = failures == 1 ? 0 : 1 << min(failures - 2, 10)
    guard let usable = usable(now) else {
      nextAttempt = now + min(pause, Self.longestPauseWithout)
      return nil
    }
    let left = (usable.expiration ?? .max) - now
    nextAttempt = now + min(pause, Self.longestPause, max(1, left / 4))
    return usable
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

  private func usable(_ now: Int) -> Credentials? {
    guard let current, current.expiration ?? Int.max > now else { return nil }
    return current
  }
}
