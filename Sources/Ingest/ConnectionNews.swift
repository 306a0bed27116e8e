/// The choice of lines about one slot's connections: a loss and the connection after it are told both or neither,
/// and a slot that is lost again and again is told as such. Times are of one monotonic clock.
struct ConnectionNews: Sendable {
  enum Line: Equatable, Sendable {
    case connected
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
  private var losses: [Duration] = []

  /// There is no connection: one was lost, or an attempt has failed.
  /// - Parameter isTold: whether a line has said so.
  mutating func lost(isTold: Bool, at now: Duration) {
    if isOpen {
      isOpen = false
      self.isTold = false
      forget(at: now)
      if losses.count < Self.mostLosses { losses.append(now) }
    }
    if isTold { self.isTold = true }
  }

  /// Nil if nothing is to be said, as nothing was of the loss before.
  mutating func connected(at now: Duration) -> Line? {
    isOpen = true
    return isTold ? tell(at: now) : nil
  }

  /// A line that is due about what was not told, while there is a connection.
  mutating func review(at now: Duration) -> Line? {
    guard isOpen, !isTold, toldAt.map({ now - $0 >= Self.period }) ?? true else { return nil }
    // A single loss of which nothing was said is over, and so is what there was to say.
    let line = tell(at: now)
    return line == .connected ? nil : line
  }

  private mutating func tell(at now: Duration) -> Line {
    isTold = true
    toldAt = now
    forget(at: now)
    return losses.count > 1 ? .connectedAgain(losses: losses.count) : .connected
  }

  private mutating func forget(at now: Duration) { losses.removeAll { now - $0 > Self.memory } }
}
