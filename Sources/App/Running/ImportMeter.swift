import Base
import Ingest
import Synchronization

/// Shows how an import goes, as often as somebody can look.
final class ImportMeter: Sendable {
  private let console: Console
  private let total: Int?
  private let start = ContinuousClock.now
  private let pace: Mutex<ProgressPace>

  /// - Parameter total: the file's bytes; `nil` for stdin.
  init(console: Console, total: Int?) {
    self.console = console
    self.total = total
    pace = Mutex(ProgressPace(isTerminal: console.isTerminal))
  }

  func show(_ progress: FileImport.Progress) {
    let elapsed = start.duration(to: .now)
    guard pace.withLock({ $0.isDue(at: elapsed) }) else { return }
    console.show(
      ProgressReport(
        label: "import", done: progress.bytesRead, total: total, elapsed: elapsed,
        detail: "\(Figures.counted(progress.ticks, "tick")), \(Figures.rate(progress.ticks, in: elapsed))"))
  }
}
