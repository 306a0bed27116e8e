import Base
import Inspect
import Synchronization

/// Shows how a comparison goes, on a terminal alone: elsewhere its result is enough.
final class ReconcileMeter: Sendable {
  private struct State {
    var phase = ""
    var start = ContinuousClock.now
    var pace = ProgressPace(isTerminal: true)
  }

  private let console: Console
  private let state = Mutex(State())

  init(console: Console) { self.console = console }

  @Sendable func show(_ progress: Reconcile.Progress) {
    guard console.isTerminal else { return }
    let label = "reconcile \(progress.consumer)"
    let elapsed: Duration? = state.withLock { state in
      if state.phase != label + progress.unit { state = State(phase: label + progress.unit) }
      let elapsed = state.start.duration(to: .now)
      return state.pace.isDue(at: elapsed) ? elapsed : nil
    }
    guard let elapsed else { return }
    console.show(
      ProgressReport(
        label: label, done: progress.done, total: progress.total, elapsed: elapsed,
        detail: "\(Figures.grouped(progress.done)) \(progress.unit)"))
  }
}
