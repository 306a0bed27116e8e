import Base
import Inspect
import Synchronization
import WAL

/// Shows how a check or a salvage goes, as often as somebody can look.
final class VerifyMeter: Sendable {
  private let console: Console
  private let start = ContinuousClock.now
  private let pace: Mutex<ProgressPace>

  init(console: Console) {
    self.console = console
    pace = Mutex(ProgressPace(isTerminal: console.isTerminal))
  }

  @Sendable func show(_ progress: LogVerificationProgress) {
    switch progress {
    case .structure: show("verify", done: 0, total: nil, "the file's structure")
    case .ticks(let checked, let total): show("verify", done: checked, total: total, "ticks")
    case .records: show("verify", done: 0, total: nil, "batches and records")
    }
  }

  @Sendable func show(_ progress: SalvageProgress) {
    switch progress {
    case .ticks(let copied, let total): show("salvage", done: copied, total: total, "ticks")
    case .pages(let read, let total):
      show("salvage", done: read, total: total, "pages, for ticks that are missing")
    }
  }

  private func show(_ label: String, done: Int, total: Int?, _ what: String) {
    let elapsed = start.duration(to: .now)
    // A phase without an end in sight is said once, at its beginning.
    guard pace.withLock({ $0.isDue(at: elapsed) }) || total == nil && console.isTerminal else { return }
    let detail = total == nil ? what : "\(Figures.grouped(done)) \(what)"
    console.show(ProgressReport(label: label, done: done, total: total, elapsed: elapsed, detail: detail))
  }
}
