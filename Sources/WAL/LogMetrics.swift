import Base
import CoreMetrics

/// The metrics that the log moves; made once, moved by the writer's thread.
struct LogMetrics: Sendable {
  static let shared = LogMetrics()

  let appendedTicks = Counter(label: "log_appended_ticks_total")
  let appendedBytes = Counter(label: "log_appended_bytes_total")
  let commitDuration = Timer(label: "log_commit_duration_seconds")
  let commitTicks = Recorder(label: "log_commit_ticks", aggregate: true)
  let appendWait = Timer(label: "log_append_wait_seconds")
  let checkpointDuration = Timer(label: "log_checkpoint_duration_seconds")
  let blockedCheckpoints = Counter(label: "log_checkpoints_blocked_total")
  let trimmedTicks = Counter(label: "log_trimmed_ticks_total")
  private let gaps = Dictionary(
    uniqueKeysWithValues: Gap.Cause.allCases.map {
      ($0, Counter(label: "gaps_total", dimensions: [("cause", $0.rawValue)]))
    })

  /// A group is durable.
  func committed(_ group: [WriteRequest], began gaps: [Gap.Cause], letters: [ConsumerName: Int]) {
    let ticks = group.reduce(0) { $0 + $1.ticks.count }
    if ticks > 0 {
      appendedTicks.increment(by: ticks)
      appendedBytes.increment(by: group.reduce(0) { $0 + $1.ticks.byteCount })
      commitTicks.record(ticks)
    }
    for cause in gaps { self.gaps[cause]?.increment() }
    for (consumer, count) in letters {
      Counter(label: "dead_letters_created_total", dimensions: [("consumer", consumer.rawValue)])
        .increment(by: count)
    }
  }
}

extension Timer {
  func record(_ duration: Duration) {
    let parts = duration.components
    recordNanoseconds(parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000)
  }
}
