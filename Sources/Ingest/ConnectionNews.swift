/// The choice of lines about one slot's connections: a loss and the connection after it are told both or neither,
/// and a slot that is lost again and again is told as such. Times are of one monotonic clock.
struct ConnectionNews: Sendable {
  enum Line: Equatable, Sendable {
    case connected
    /// The first one after a loss, with how long there was none.
    case connectedAfter(Duration)
    /// With how often it was lost in the time of ``memory``.
    case connectedAgain(losses: Int)
  }

  /// The pause between two lines about a slot that is lost all the time.
  static let period = Duration.seconds(60)
  /// The time for which a loss counts: so long that of two told apart by a period both are in it.
  static let memory = period * 2
  /// More are not counted.
  private static let mostLosses = 1_000

  private var isOpen = false
  /// True if the loss before was told, or there was none.
  private var isTold = true
  private var toldAt: Duration?
  /// The moment in which the connection was lost; nil while there is one, or was none yet.
  private var lostAt: Duration?
  /// The time without a connection before this one.
  private var gapLength: Duration?
  private var losses: [Duration] = []
  /// A line has said that it is lost again and again, and it has not lasted since.
  private var isKnownToFlap = false

  /// There is no connection: one was lost, or an attempt has failed.
  /// - Parameter isTold: whether a line has said so.
  mutating func lost(isTold: Bool, at now: Duration) {
    if isOpen {
      isOpen = false
      lostAt = now
      self.isTold = false
      forget(at: now)
      if losses.count < Self.mostLosses { losses.append(now) }
    }
    if isTold { self.isTold = true }
  }

  /// Nil if nothing is to be said, as nothing was of the loss before. The second loss in a row shows that connections
  /// do not last: then that is said at once, or what was said of the first one would stand for a minute.
  mutating func connected(at now: Duration) -> Line? {
    isOpen = true
    gapLength = lostAt.map { now - $0 }
    lostAt = nil
    forget(at: now)
    if losses.count < 2 { isKnownToFlap = false }
    return isTold || (losses.count > 1 && !isKnownToFlap) ? tell(at: now) : nil
  }

  /// A line that is due about what was not told, while there is a connection.
  mutating func review(at now: Duration) -> Line? {
    guard isOpen, !isTold, toldAt.map({ now - $0 >= Self.period }) ?? true else { return nil }
    // A single loss of which nothing was said is over, and so is what there was to say.
    let line = tell(at: now)
    if case .connectedAgain = line { return line }
    return nil
  }

  private mutating func tell(at now: Duration) -> Line {
    isTold = true
    toldAt = now
    forget(at: now)
    isKnownToFlap = losses.count > 1
    if isKnownToFlap { return .connectedAgain(losses: losses.count) }
    return gapLength.map { .connectedAfter($0) } ?? .connected
  }

  private mutating func forget(at now: Duration) { losses.removeAll { now - $0 > Self.memory } }
}
