import Base
import Logging
import Shippers
import WAL

/// Says how the work goes: a line that is redrawn on a terminal, a message a minute elsewhere.
struct RunWatch: Sendable {
  let label: String
  /// Whether ticks come in meanwhile.
  let hasFeed: Bool
  let log: TickLog
  let logger: Logger
  let console: Console

  func watch(_ running: Pipeline.Running) async throws {
    let clock = ContinuousClock()
    let start = clock.now
    var last = log.head
    let starts = running.progress.map { $0.snapshot.next }
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
            detail: line(
              running, head, rate: Figures.rate(added, in: pause), starts, start.duration(to: clock.now))))
      } else {
        logger.info(
          "running", metadata: metadata(running, head, perSecond: Double(added) / (pause / .seconds(1))))
      }
    }
  }

  /// - Parameter starts: where each consumer began, `elapsed` ago.
  private func line(
    _ running: Pipeline.Running, _ head: Offset, rate: String, _ starts: [Offset], _ elapsed: Duration
  ) -> String {
    var parts = ["\(Figures.grouped(head.rawValue)) ticks (\(rate))"]
    if let feed = running.feed.value?.statistics {
      parts.append(
        feed.connectedStreams > 0 ? Figures.counted(feed.connectedStreams, "stream") : "not connected")
    }
    for (progress, start) in zip(running.progress, starts) {
      let next = progress.snapshot.next
      parts.append(
        "\(progress.consumer) "
          + Self.backlog(
            next.distance(to: head.next), shipped: hasFeed ? 0 : start.distance(to: next), in: elapsed))
    }
    return parts.joined(separator: " · ")
  }

  /// The words for a backlog; without a feed it only gets less, so that the time that it takes can be said.
  ///
  /// - Parameter shipped: ticks, in `elapsed`; 0 where nothing can be said of the time.
  static func backlog(_ lag: Int, shipped: Int, in elapsed: Duration) -> String {
    if lag == 0 { return "all shipped" }
    let text = "\(Figures.grouped(lag)) behind"
    guard shipped > 0, elapsed >= .seconds(1) else { return text }
    let left = elapsed * (Double(lag) / Double(shipped))
    return "\(text) (\(Figures.rate(shipped, in: elapsed)), \(Figures.duration(left)) left)"
  }

  private func metadata(
    _ running: Pipeline.Running, _ head: Offset, perSecond: Double
  ) -> Logger.Metadata {
    var metadata: Logger.Metadata = [
      "head": .stringConvertible(head.rawValue),
      "ticks_per_second": .stringConvertible((perSecond * 10).rounded() / 10),
    ]
    if let feed = running.feed.value?.statistics {
      metadata["connected_streams"] = .stringConvertible(feed.connectedStreams)
      metadata["reconnects"] = .stringConvertible(feed.reconnects)
      metadata["rejected"] = .stringConvertible(feed.rejected)
    }
    for progress in running.progress {
      metadata["lag_\(progress.consumer)"] = .stringConvertible(
        progress.snapshot.next.distance(to: head.next))
    }
    return metadata
  }
}
