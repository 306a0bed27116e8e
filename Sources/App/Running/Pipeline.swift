import Ingest
import Logging
import Shippers
import UnixSignals
import WAL

/// The main job: the feed into the log, and the shippers out of it, until a signal.
///
/// Ends in order: the feed first, and what it received is committed; then the shippers, which may finish what
/// is on its way, or ship everything with `DRAIN_ON_STOP`.
struct Pipeline: Sendable {
  let log: TickLog
  let shipping: Shipping
  let consumers: [Consumer]
  let stop: StopSettings
  let logger: Logger
  /// Makes the feed once its streams are known; `nil` for `ship`, which has none.
  let makeFeed: (@Sendable () async throws -> Feed)?

  private enum Event: Sendable {
    case signal
    case feedEnded
    case shipperEnded
    case timeIsUp
  }

  /// What is going on, for the progress line.
  struct Running: Sendable {
    let feed: Latch<Feed>
    let progress: [ShippingProgress]
  }

  /// - Parameter watch: runs beside the work and is cancelled with it.
  /// - Returns: whether a signal ended it.
  /// - Throws: the log's failure, at once; bad settings that are found out late.
  func run(watch: @escaping @Sendable (Running) async throws -> Void) async throws -> Bool {
    let control = ShippingControl()
    let feed = Latch<Feed>()
    let endFeed = Latch<Void>()
    let progress = consumers.map { ShippingProgress(consumer: $0.name, next: $0.next) }
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    var stopping = StoppingState(hasFeed: makeFeed != nil, shippers: consumers.count)
    if makeFeed == nil { control.startDraining() }

    return try await withThrowingTaskGroup(of: Event?.self) { group in
      group.addTask {
        await handle(signals, endFeed)
        return nil
      }
      group.addTask {
        try await endFeed.wait()
        return .signal
      }
      group.addTask { ImmediateExit.logFailed(try await log.failure()) }
      group.addTask { [stop] in
        try await endFeed.wait()
        try await ContinuousClock().sleep(for: stop.timeout)
        return .timeIsUp
      }
      group.addTask {
        try await watch(Running(feed: feed, progress: progress))
        return nil
      }
      if let makeFeed {
        group.addTask { try await runFeed(makeFeed, feed, endFeed) }
      }
      for (consumer, progress) in zip(consumers, progress) {
        group.addTask { try await runShipper(consumer, control, progress) }
      }
      while !stopping.isDone, let event = try await group.next() {
        switch event {
        case .signal:
          if makeFeed == nil { control.startStopping() }
        case .feedEnded:
          stopping.hasFeed = false
          if stop.drain { control.startDraining() } else { control.startStopping() }
        case .shipperEnded: stopping.shippers -= 1
        case .timeIsUp:
          logger.notice(
            "SHUTDOWN_TIMEOUT is over: what is still on its way is sent again at the next start")
          ImmediateExit.unlessEnded(within: 3)
          group.cancelAll()
        case nil: break
        }
      }
      group.cancelAll()
      return endFeed.value != nil
    }
  }

  private func handle(_ signals: UnixSignalsSequence, _ endFeed: Latch<Void>) async {
    for await signal in signals {
      if endFeed.value != nil { ImmediateExit.secondSignal(.done) }
      logger.notice(
        "stopping: the feed first, then what is on its way; a second signal ends at once",
        metadata: ["signal": "\(signal)", "at_most": "\(Figures.duration(stop.timeout))"])
      endFeed.set(())
    }
  }

  private func runFeed(
    _ makeFeed: @escaping @Sendable () async throws -> Feed, _ made: Latch<Feed>, _ end: Latch<Void>
  ) async throws -> Event {
    let feed: Feed? = try await withThrowingTaskGroup(of: Feed?.self) { group in
      group.addTask { try await makeFeed() }
      group.addTask {
        try await end.wait()
        return nil
      }
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
    guard let feed else { return .feedEnded }
    made.set(feed)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        try await feed.run()
        return true
      }
      group.addTask {
        try await end.wait()
        feed.stop()
        return false
      }
      while let hasEnded = try await group.next(), !hasEnded {}
      group.cancelAll()
    }
    return .feedEnded
  }

  private func runShipper(
    _ consumer: Consumer, _ control: ShippingControl, _ progress: ShippingProgress
  ) async throws -> Event {
    do {
      try await shipping.run(consumer, log: log, control: control, progress: progress, logger: logger)
    } catch is CancellationError {
      // Time was up. Everything confirmed is committed.
    }
    return .shipperEnded
  }
}

/// What has not ended yet.
private struct StoppingState {
  var hasFeed: Bool
  var shippers: Int
  var isDone: Bool { !hasFeed && shippers == 0 }
}
