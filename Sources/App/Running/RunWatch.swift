import Base
import Logging
import Shippers
import WAL

/// Says how the work goes: a line that is redrawn on a terminal, a message a minute elsewhere.
struct RunWatch: Sendable {
  let label: String
  let log: TickLog
  let logger: Logger
  let console: Console

  func watch(_ running: Pipeline.Running) async throws {
    let clock = ContinuousClock()
    let start = clock.now
    var last = log.head
    let pause: Duration = console.isTerminal ? .milliseconds(500) : .seconds(60)
    while true {
      try await clock.sleep(for: pause)
      let head = log.head
      let added = last.distance(to: head)
      last = head
      if console.isTerminal {
        console.show(
          ProgressReport(
            label: label, done: 0, elapsed: start.duration(to: clock.now),
            detail: line(running, head, rate: Figures.rate(added, in: pause))))
      } else {
        logger.info("running", metadata: metadata(running, head, rate: Figures.rate(added, in: pause)))
      }
    }
  }

  private func line(_ running: Pipeline.Running, _ head: Offset, rate: String) -> String {
    var parts = ["\(Figures.grouped(head.rawValue)) ticks (\(rate))"]
    if let feed = running.feed.value?.statistics {
      parts.append(
        feed.connectedStreams > 0 ? Figures.counted(feed.connectedStreams, "stream") : "not connected")
    }
    for progress in running.progress {
      let lag = progress.snapshot.next.distance(to: head.next)
      parts.append("\(progress.consumer) " + (lag == 0 ? "all shipped" : "\(Figures.grouped(lag)) behind"))
    }
    return parts.joined(separator: " · ")
  }

  private func metadata(_ running: Pipeline.Running, _ head: Offset, rate: String) -> Logger.Metadata {
    var metadata: Logger.Metadata = ["head": "\(head)", "rate": "\(rate)"]
    if let feed = running.feed.value?.statistics {
      metadata["connected_streams"] = "\(feed.connectedStreams)"
      metadata["reconnects"] = "\(feed.reconnects)"
      metadata["rejected"] = "\(feed.rejected)"
    }
    for progress in running.progress {
      metadata["lag_\(progress.consumer)"] = "\(progress.snapshot.next.distance(to: head.next))"
    }
    return metadata
  }
}
