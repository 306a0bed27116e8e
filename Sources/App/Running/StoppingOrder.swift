/// The order in which the work ends: a pure value that takes events and gives the actions they call for.
///
/// The feed ends first, and everything that it received is in the log by then; the loops that ship follow, which
/// finish what is on its way, or ship everything. Time that is up calls them off, and a second signal ends the process.
struct StoppingOrder: Sendable {
  enum Event: Sendable, Equatable {
    /// The log is open, and the work begins with so many loops that ship.
    case opened(loops: Int)
    case signal
    /// The log's files were taken away: what is received from now on has no place.
    case logLost
    case feedEnded
    case loopEnded
    /// The longest wait since the first signal is over.
    case timeUp
  }

  enum Action: Sendable, Equatable {
    /// Ends the process: nothing has been received.
    case endBeforeOpening
    /// Ends the process.
    case endAtOnce
    /// Ends the feed, if there is one, and begins the longest wait.
    case beginStopping
    /// Has the loops end when everything is shipped.
    case drainLoops
    /// Has the loops end with what is on its way.
    case stopLoops
    /// Calls off whatever still goes on.
    case callOff
    /// Everything has ended.
    case finish
  }

  private enum Phase {
    case opening, running
    /// As after a signal, but that everything is shipped that can be.
    case losing
    case stopping, calledOff
  }

  private var drains: Bool
  private let onlyShips: Bool
  private var phase = Phase.opening
  private var hasFeed: Bool
  private var loops = 0

  /// - Parameters:
  ///   - hasFeed: `false` where only the backlog is shipped: the loops end by themselves then.
  ///   - drains: whether everything is shipped after the feed.
  init(hasFeed: Bool, drains: Bool) {
    self.hasFeed = hasFeed
    self.drains = drains
    onlyShips = !hasFeed
  }

  /// - Returns: the actions, in the order in which they are due.
  mutating func handle(_ event: Event) -> [Action] {
    switch (event, phase) {
    case (.opened(let loops), .opening):
      phase = .running
      self.loops = loops
      return (onlyShips ? ending(.drainLoops) : []) + finishing()
    case (.signal, .opening): return [.endBeforeOpening]
    case (.signal, .running):
      phase = .stopping
      return [.beginStopping] + (onlyShips ? ending(.stopLoops) : [])
    case (.logLost, .running):
      phase = .losing
      drains = true
      return [.beginStopping]
    case (.signal, .losing):
      phase = .stopping
      drains = false
      return hasFeed ? [] : ending(.stopLoops)
    case (.signal, .stopping), (.signal, .calledOff): return [.endAtOnce]
    case (.timeUp, .stopping), (.timeUp, .losing):
      phase = .calledOff
      return [.callOff]
    case (.feedEnded, _) where hasFeed:
      hasFeed = false
      return ending(drains ? .drainLoops : .stopLoops) + finishing()
    case (.loopEnded, _) where loops > 0:
      loops -= 1
      return finishing()
    default: return []
    }
  }

  private func ending(_ action: Action) -> [Action] { loops > 0 ? [action] : [] }

  private func finishing() -> [Action] { !hasFeed && loops == 0 ? [.finish] : [] }
}
