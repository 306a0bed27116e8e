/// What is known of the credentials, and who has to do what about it.
///
/// Pure: the time comes in, and the caller carries out what comes back.
struct CredentialState {
  enum Step: Equatable {
    case use(Credentials)
    /// Ask the provider, then call `loaded`, `failed` or `abandoned`; nobody else is told to meanwhile.
    case load
    /// Somebody is asking; ask again when they are done.
    case wait
  }

  /// Seconds before expiry from which on new ones are fetched, the old ones still serving.
  static let refreshLead = 300
  /// Seconds between two attempts to refresh while the old ones still serve.
  static let refreshPause = 30

  private var current: Credentials?
  private(set) var isLoading = false
  private var nextRefresh = Int.min

  mutating func step(now: Int) -> Step {
    if let current, current.expiration ?? Int.max > now {
      let isDue = (current.expiration ?? Int.max) - now <= Self.refreshLead
      if !isDue || isLoading || now < nextRefresh { return .use(current) }
      isLoading = true
      return .load
    }
    if isLoading { return .wait }
    isLoading = true
    return .load
  }

  mutating func loaded(_ credentials: Credentials, now: Int) {
    current = credentials
    isLoading = false
    // A provider may hand out again what it has; asking it for each request would help nobody.
    nextRefresh = now + Self.refreshPause
  }

  /// The provider failed. Gives what may be used all the same.
  mutating func failed(now: Int) -> Credentials? {
    isLoading = false
    nextRefresh = now + Self.refreshPause
    guard let current, current.expiration ?? Int.max > now else { return nil }
    return current
  }

  /// The task that was asking is gone; the next one asks.
  mutating func abandoned() {
    isLoading = false
  }

  /// The service refused these. Newer ones stay.
  mutating func invalidate(_ rejected: Credentials) {
    if let current, current.hasSameKeys(as: rejected) { self.current = nil }
  }
}
