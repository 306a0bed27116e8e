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
    var marks = starts
    // Whoever waits for `ship` wants to see it go on.
    let pause: Duration = console.isTerminal ? .milliseconds(500) : hasFeed ? .seconds(60) : .seconds(10)
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
              running, head, rate: Figures.rate(added, in: pause), starts, start.duration(to: clock.now),
              width: console.width - label.utf8.count - 3)))
      } else if !hasFeed {
        // Of the time since the last line: a consumer that is done has no rate.
        logger.info("shipping", metadata: Self.metadata(Self.backlogs(running, head, marks), in: pause))
        marks = running.progress.map { $0.snapshot.next }
      } else {
        logger.info(
          "running", metadata: metadata(running, head, perSecond: Double(added) / (pause / .seconds(1))))
      }
    }
  }

  /// - Parameter starts: where each consumer began, `elapsed` ago.
  private func line(
    _ running: Pipeline.Running, _ head: Offset, rate: String, _ starts: [Offset], _ elapsed: Duration,
    width: Int
  ) -> String {
    guard hasFeed else { return Self.left(Self.backlogs(running, head, starts), in: elapsed, width: width) }
    var parts = ["\(Figures.counted(head.rawValue, "tick")) (\(rate))"]
    if let feed = running.feed.value?.statistics {
      parts.append(
        feed.connectedStreams > 0 ? Figures.counted(feed.connectedStreams, "stream") : "not connected")
    }
    for backlog in Self.backlogs(running, head, starts) {
      parts.append(
        "\(backlog.consumer) "
          + (backlog.lag == 0 ? "all shipped" : "\(Figures.grouped(backlog.lag)) behind"))
    }
    return parts.joined(separator: " · ")
  }

  /// The ticks that a consumer has not shipped yet, and those that it has since the start.
  struct Backlog: Equatable {
    let consumer: String
    let lag: Int
    let shipped: Int
  }

  private static func backlogs(
    _ running: Pipeline.Running, _ head: Offset, _ starts: [Offset]
  ) -> [Backlog] {
    zip(running.progress, starts).map { progress, start in
      let next = progress.snapshot.next
      return Backlog(
        consumer: "\(progress.consumer)", lag: next.distance(to: head.next),
        shipped: max(0, start.distance(to: next)))
    }
  }

  /// The line of `ship`: without a feed a backlog only gets less, so that the time that it takes can be said. Rates
  /// are left out where there is no room for them.
  static func left(_ backlogs: [Backlog], in elapsed: Duration, width: Int) -> String {
    func line(withRates: Bool) -> String {
      backlogs.map { backlog in
        guard backlog.lag > 0 else { return "\(backlog.consumer) all shipped" }
        let rate = withRates && elapsed >= .seconds(1) ? Figures.rate(backlog.shipped, in: elapsed) : nil
        let known = [rate, time(backlog, elapsed).map { "\(Figures.duration($0)) left" }].compactMap { $0 }
        return "\(backlog.consumer) \(Figures.grouped(backlog.lag)) behind"
          + (known.isEmpty ? "" : " (\(known.joined(separator: ", ")))")
      }.joined(separator: " · ")
    }
    let whole = line(withRates: true)
    return DisplayWidth.of(whole) <= width ? whole : line(withRates: false)
  }

  /// `nil` where nothing can be said of it yet.
  private static func time(_ backlog: Backlog, _ elapsed: Duration) -> Duration? {
    guard backlog.shipped > 0, elapsed >= .seconds(1) else { return nil }
    return elapsed * (Double(backlog.lag) / Double(backlog.shipped))
  }

  /// The same for a file or a pipe.
  static func metadata(_ backlogs: [Backlog], in elapsed: Duration) -> Logger.Metadata {
    var metadata: Logger.Metadata = [:]
    for backlog in backlogs {
      metadata["lag_\(backlog.consumer)"] = .stringConvertible(backlog.lag)
      let perSecond = Double(backlog.shipped) / max(elapsed / .seconds(1), 1e-3)
      metadata["ticks_per_second_\(backlog.consumer)"] = .stringConvertible((perSecond * 10).rounded() / 10)
    }
    let behind = backlogs.filter { $0.lag > 0 }
    let times = behind.compactMap { time($0, elapsed) }
    if times.count == behind.count, let longest = times.max() {
      metadata["left_seconds"] = .stringConvertible(longest.components.seconds)
    }
    return metadata
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
