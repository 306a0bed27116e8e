import Base
import Synchronization
import WAL

/// Shows how a replay goes, on a terminal alone: elsewhere its last line is enough.
final class ReplayMeter: Sendable {
  private let console: Console
  private let first: Offset
  private let start = ContinuousClock.now
  private let pace = Mutex(ProgressPace(isTerminal: true))

  init(console: Console, first: Offset) {
    self.console = console
    self.first = first
  }

  @Sendable func show(_ last: Offset) {
    let elapsed = start.duration(to: .now)
    guard console.isTerminal, pace.withLock({ $0.isDue(at: elapsed) }) else { return }
    let done = (first...last).length
    console.show(
      ProgressReport(
        label: "replay", done: done, elapsed: elapsed,
        detail: "offset \(Figures.grouped(last)), \(Figures.rate(done, in: elapsed))"))
  }
}
