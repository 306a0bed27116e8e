import Base
import Ingest
import Logging
import Shippers
import WAL

/// The work that `run` and `ship` have in common, from opening the log to closing it.
struct ShippingRun: Sendable {
  let label: String
  /// The exit status after a signal that leaves no time to end in order.
  let interrupted: ExitCode
  let settings: Configuration
  let sinks: SinkOptions
  let logger: Logger
  private let service = ServiceNotifier.ofProcess

  typealias FeedMaker = @Sendable (TickLog, AWSConnection) -> Pipeline.FeedMaker

  /// - Returns: whether a signal ended it.
  @discardableResult
  func run(makeFeed: FeedMaker?) async throws -> Bool {
    let stopping = Stopping(
      hasFeed: makeFeed != nil, settings: settings.stop, interrupted: interrupted, logger: logger)
    return try await Signals.handled(by: stopping.signalled) {
      try await service.during(stop: stopping.request, logger: logger) { try await run(makeFeed, stopping) }
    }
  }

  private func run(_ makeFeed: FeedMaker?, _ stopping: Stopping) async throws -> Bool {
    let needsAWS = needsAWS(hasFeed: makeFeed != nil)
    let files = settings.openFiles(hasFeed: makeFeed != nil, needsAWS: needsAWS)
    try files.check()
    if files.isShort {
      logger.warning(
        "the limit of open files leaves fewer connections to AWS than the settings ask for: requests wait for one another",
        metadata: [
          "limit": .stringConvertible(files.limit), "connections": .stringConvertible(files.connections),
          "wanted": .stringConvertible(files.wanted),
        ])
    }
    let connection = AWSConnection(settings.aws, looksForKeys: false, files: files, logger: logger)
    defer { connection.close() }
    guard needsAWS else { return try await run(makeFeed, stopping, connection) }
    let look = KeyLook(connection.lookForKeys)
    return try await withThrowingTaskGroup(of: Bool?.self) { group in
      group.addTask {
        do { try await look.run() } catch is CancellationError {}
        return nil
      }
      group.addTask {
        try await look.beginning()
        return try await run(makeFeed, stopping, connection)
      }
      defer { group.cancelAll() }
      while let ended = try await group.next() {
        if let wasInterrupted = ended { return wasInterrupted }
      }
      throw CancellationError()
    }
  }

  private func needsAWS(hasFeed: Bool) -> Bool {
    hasFeed && settings.feed.streams == nil
      || sinks.local == nil && settings.destinations.contains { $0.isEnabled }
  }

  private func run(
    _ makeFeed: FeedMaker?, _ stopping: Stopping, _ connection: AWSConnection
  ) async throws -> Bool {
    let shipping = try await settings.shipping(
      to: sinks.local, aws: connection, receives: makeFeed != nil)
    let log = try await open()
    let wasInterrupted: Bool
    do {
      let consumers = try await log.enable(
        shipping.consumers, acceptDestinations: sinks.acceptDestination, logger: logger)
      log.startUpkeep(retention: settings.space.retention, disk: settings.space.disk)
      let loops = consumers.map {
        ConsumerLoop($0, shipping: shipping, log: log, patience: settings.stop.timeout, logger: logger)
      }
      logger.notice(
        "the log is open",
        metadata: [
          "path": "\(log.path)", "head": .stringConvertible(log.head.rawValue),
          "consumers": consumers.isEmpty
            ? "none" : "\(consumers.map(\.name.rawValue).joined(separator: ","))",
        ])
      let watch = RunWatch(
        label: label, hasFeed: makeFeed != nil, log: log, logger: logger, console: .standardError)
      wasInterrupted = try await Pipeline(
        log: log, loops: loops, stopping: stopping, logger: logger,
        makeFeed: makeFeed.map { $0(log, connection) }, interrupted: interrupted,
        endOnFullVolume: {
          try await reportBacklog(log)
          ImmediateExit.fullVolume(interrupted)
        },
        begun: { running in
          service.ready { ProcessLiveness(log: log, feed: running.feed.value?.statistics).isAlive }
        }
      ).run(watch: watch.watch) { [hasFeed = makeFeed != nil] running in
        let feed: @Sendable () -> ControlAnswer.Feed = {
          var feed =
            hasFeed
            ? ControlAnswer.Feed(running.feed.value?.statistics) : ControlAnswer.Feed(state: .none)
          feed.logLost = log.knownLoss?.description
          feed.shard = hasFeed ? settings.feed.shard?.description : nil
          return feed
        }
        let observing = Observing(
          log: log, running: running, shipping: shipping,
          settings: hasFeed ? settings.observe : settings.observe.silent, connection: connection, feed: feed,
          logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await observing.run() }
          group.addTask { try await service.say(observing.words) }
          group.addTask {
            try await ControlServer(
              operations: Operations(
                log: log, loops: running.loops, shipping: { shipping }, logger: logger,
                feed: { observing.completing(feed()) }),
              logger: logger
            ).run()
          }
          try await group.waitForAll()
        }
      }
    } catch {
      Console.standardError.endProgress()
      try await log.close()
      throw error
    }
    Console.standardError.endProgress()
    service.stopping()
    // What lies under the log's name may be another one.
    if log.knownLoss == nil { try await reportBacklog(log) }
    try await close(log)
    return wasInterrupted
  }

  /// Opens the log; waits while its volume is full.
  private func open() async throws -> TickLog {
    var hasSaid = false
    while true {
      do {
        return try await settings.openLog(logger: logger)
      } catch let error as LogError where error.code == .diskFull {
        if !hasSaid {
          logger.error(
            "the volume of the log is full: opening the log is tried again every second; make room",
            metadata: ["error": "\(error)"])
        }
        hasSaid = true
        service.say("waiting to open the log: its volume is full; make room")
        try await ContinuousClock().sleep(for: .seconds(1))
      }
    }
  }

  private func reportBacklog(_ log: TickLog) async throws {
    let reader = try await log.makeReader()
    let status = try await reader.status()
    try await reader.close()
    var metadata: Logger.Metadata = ["head": .stringConvertible(status.head.rawValue)]
    for consumer in status.consumers where consumer.isEnabled {
      metadata["lag_\(consumer.name)"] = .stringConvertible(consumer.lag)
    }
    let enabled = status.consumers.filter(\.isEnabled)
    let message: Logger.Message =
      if enabled.isEmpty {
        "stopped; no consumer is enabled, so the log is all there is"
      } else if enabled.allSatisfy({ $0.lag == 0 }) {
        "stopped; everything is shipped"
      } else {
        "stopped; the backlog is shipped after the next start"
      }
    logger.notice(message, metadata: metadata)
  }

  private func close(_ log: TickLog) async throws {
    do {
      try await log.close()
    } catch let error as LogError where error.code == .diskFull {
      ImmediateExit.fullVolume(interrupted)
    }
  }
}
