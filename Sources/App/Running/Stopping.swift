import Base
import Logging
import Shippers
import Synchronization
import UnixSignals
import WAL

/// The order of stopping as several tasks share it, with what carries out most of its actions.
final class Stopping: Sendable {
  private struct State {
    var order: StoppingOrder
    var loops: [ConsumerLoop] = []
    var loss: LogLoss?
  }

  /// Set when a signal asks for the end.
  let request = Latch<Void>()
  /// The longest wait after that.
  let patience: Duration
  /// The exit status of an end that leaves no time to end in order.
  private let interrupted: ExitCode
  private let hasFeed: Bool
  private let logger: Logger
  private let state: Mutex<State>

  init(hasFeed: Bool, settings: StopSettings, interrupted: ExitCode, logger: Logger) {
    state = Mutex(State(order: StoppingOrder(hasFeed: hasFeed, drains: settings.drain)))
    patience = settings.timeout
    self.hasFeed = hasFeed
    self.interrupted = interrupted
    self.logger = logger
  }

  /// The work begins with these loops.
  ///
  /// - Returns: whether there is nothing to be done.
  func opened(_ loops: [ConsumerLoop]) -> Bool {
    let actions = state.withLock { state in
      state.loops = loops
      return state.order.handle(.opened(loops: loops.count))
    }
    return carryOut(actions).contains(.finish)
  }

  func signalled(_ signal: UnixSignal) {
    let actions = state.withLock { $0.order.handle(.signal) }
    if actions.contains(.beginStopping) {
      logger.notice(
        hasFeed
          ? "stopping: the feed first, then what is on its way; a second signal ends at once"
          : "stopping: what is on its way may finish; a second signal ends at once",
        metadata: ["signal": "\(signal)", "at_most": "\(Figures.duration(patience))"])
    }
    carryOut(actions)
  }

  /// The log's files were taken away. It has been said.
  func logLost(_ loss: LogLoss) { state.withLock { $0.loss = loss } }

  /// - Returns: what is left to the caller: to call off, or to finish.
  func happened(_ event: StoppingOrder.Event) -> [StoppingOrder.Action] {
    carryOut(state.withLock { $0.order.handle(event) })
  }

  @discardableResult
  private func carryOut(_ actions: [StoppingOrder.Action]) -> [StoppingOrder.Action] {
    let (loops, loss) = state.withLock { ($0.loops, $0.loss) }
    return actions.filter { action in
      switch action {
      case .endBeforeOpening: ImmediateExit.beforeOpening(interrupted)
      case .endAtOnce:
        if let loss { ImmediateExit.logLost(loss) }
        ImmediateExit.secondSignal(interrupted)
      case .beginStopping: request.set(())
      case .drainLoops: for loop in loops { loop.startDraining() }
      case .stopLoops: for loop in loops { loop.startStopping() }
      case .callOff, .finish: return true
      }
      return false
    }
  }
}
