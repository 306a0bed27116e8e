import Base
import Logging
import NIOCore
import NIOPosix
import WAL

/// The way of ticks from the exchange into the log, for as long as it runs.
///
/// Reconnects by itself, and replaces connections before the exchange ends them, without a loss. Each time in
/// which ticks may have been missed becomes a gap in the log. While the log cannot take more, sockets are not
/// read, so that the server is held back and memory stays bounded.
package final class Feed: Sendable {
  private let streams: [String]
  private let log: any FeedLog
  private let environment: FeedDriver.Environment
  private let counters = FeedCounters()
  private let commands = FeedCommands()

  /// - Parameters:
  ///   - wallClock: microseconds UTC.
  ///   - random: in 0 ..< 1, for the jitter of back-off and of rotation.
  /// - Throws: `FeedError` (`noStreams`, `badCABundle`).
  package convenience init(
    configuration: FeedConfiguration, log: TickLog, logger: Logger,
    wallClock: @escaping @Sendable () -> Int64 = WallClock.now,
    random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) throws(FeedError) {
    var limits = FeedSession.Limits()
    limits.staleAfter = configuration.staleAfter
    limits.maximumAge = configuration.maximumAge
    try self.init(
      configuration: configuration, feedLog: log, logger: logger, wallClock: wallClock, random: random,
      limits: limits)
  }

  /// - Parameter limits: taken as they are, the configuration's own passed over.
  init(
    configuration: FeedConfiguration, feedLog: any FeedLog, logger: Logger,
    wallClock: @escaping @Sendable () -> Int64, random: @escaping @Sendable () -> Double,
    limits: FeedSession.Limits = .init(), overlap: Overlap.Limits = .init(),
    backoff: Backoff = FeedSession.backoff, lateness: Duration = .seconds(1),
    resolve: @escaping HostLookup.Resolve = HostLookup.system
  ) throws(FeedError) {
    guard !configuration.streams.isEmpty else {
      throw FeedError(.noStreams, "the list of streams is empty")
    }
    streams = configuration.streams
    log = feedLog
    environment = FeedDriver.Environment(
      endpoint: configuration.endpoint,
      security: configuration.endpoint.isSecure
        ? try TrustRoots.context(caBundle: configuration.caBundle) : nil,
      wallClock: wallClock, random: random, limits: limits, overlap: overlap,
      backoff: backoff, exchange: configuration.limits, lateness: lateness, resolve: resolve,
      logger: logger)
  }

  /// The figures up to now; any thread may ask.
  package var statistics: FeedStatistics { counters.statistics }

  /// Subscribes to these streams instead: those that stay are not touched, those that come and go take effect
  /// without a gap. Any thread may call it, also before ``run()``. An empty list is passed over.
  package func update(streams: [String]) {
    if streams.isEmpty { return }
    commands.post { $0.streams = streams }
  }

  /// Replaces every connection by a new one, without a gap. Any thread may call it.
  package func rotate() { commands.post { $0.isRotating = true } }

  /// Makes ``run()`` stop reading, hand over what it has, and return. Any thread may call it.
  package func stop() { commands.post { $0.isStopping = true } }

  /// The gaps that hold what a killed run may have missed: where the feed was paused or lost already, those of that.
  static func gapsOfKill(_ open: [Gap]) -> [Gap] {
    let ofCrash = open.filter { $0.cause == .crash }
    return ofCrash.isEmpty ? open : ofCrash
  }

  private func sayKilled(_ start: FeedStart) {
    let gaps = Self.gapsOfKill(start.openGaps)
    environment.logger.warning(
      "the last run did not end in order: it was killed, or the machine stopped; what it may have missed is a gap",
      metadata: [
        "\(LogKey.gapIDs)": .array(gaps.map { .stringConvertible($0.id.rawValue) }),
        "since":
          "\(gaps.map(\.startedAt).min().map { Timestamp.rfc3339(microseconds: Timestamp.clamped(microseconds: $0)) } ?? "unknown")",
      ])
  }

  /// Runs until ``stop()`` is called or the task is cancelled; once.
  ///
  /// When it returns, everything that was received is durable, and so is the beginning of a gap of cause
  /// `shutdown`. Throws what the log says when it can take no more; never because of the exchange.
  package func run() async throws {
    let start = try await log.beginFeed(
      streams: streams, attempts: environment.exchange.attemptMemory)
    if start.wasKilled { sayKilled(start) }
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let finished = loop.makePromise(of: [FeedEnd].self)
    loop.execute { [self] in
      let driver = FeedDriver(
        environment: environment, streams: streams, start: start, log: log, counters: counters, loop: loop,
        finished: finished)
      driver.start()
      let bound = NIOLoopBound(driver, eventLoop: loop)
      commands.attach { [commands] in
        loop.execute { bound.value.obey(commands.take()) }
      }
    }
    defer { commands.detach() }
    let ends = try await withTaskCancellationHandler {
      try await finished.futureResult.get()
    } onCancel: {
      stop()
    }
    try await log.endFeed(slots: ends)
  }
}
