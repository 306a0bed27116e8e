import Logging
import NIOCore
import NIOPosix
import WAL

/// What a feed connects to.
public struct FeedConfiguration: Sendable {
  public var address: FeedAddress
  /// The streams that the address subscribes to: recorded with gaps.
  public var streams: [String]
  /// A PEM file of trusted certificates instead of the system's.
  public var caBundle: String?

  public init(address: FeedAddress, streams: [String], caBundle: String? = nil) {
    self.address = address
    self.streams = streams
    self.caBundle = caBundle
  }
}

/// Receives ticks from the exchange and appends them to the log, for as long as it runs.
///
/// Reconnects by itself. Each time in which ticks may have been missed becomes a gap in the log. While the log
/// cannot take more, the socket is not read, so that the server is held back and memory stays bounded.
public final class Feed: Sendable {
  private let configuration: FeedConfiguration
  private let log: any FeedLog
  private let environment: FeedDriver.Environment
  private let counters = FeedCounters()
  private let stopSignal: StopSignal

  /// - Parameters:
  ///   - wallClock: microseconds UTC.
  ///   - random: in 0 ..< 1, for the jitter of back-off.
  /// - Throws: `FeedError` (`badCABundle`).
  public convenience init(
    configuration: FeedConfiguration, log: TickLog, logger: Logger,
    wallClock: @escaping @Sendable () -> Int64 = WallClock.now,
    random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) throws(FeedError) {
    try self.init(
      configuration: configuration, feedLog: log, logger: logger, wallClock: wallClock, random: random)
  }

  init(
    configuration: FeedConfiguration, feedLog: any FeedLog, logger: Logger,
    wallClock: @escaping @Sendable () -> Int64, random: @escaping @Sendable () -> Double,
    limits: FeedSession.Limits = .init(), backOff: BackOff = .init()
  ) throws(FeedError) {
    let security =
      configuration.address.isSecure
      ? try TrustRoots.context(caBundle: configuration.caBundle) : nil
    self.configuration = configuration
    log = feedLog
    environment = FeedDriver.Environment(
      address: configuration.address, streams: configuration.streams, security: security,
      wallClock: wallClock, random: random, limits: limits, backOff: backOff, logger: logger)
    stopSignal = StopSignal()
  }

  /// What it has done so far; any thread may ask.
  public var statistics: FeedStatistics { counters.statistics }

  /// Runs until ``stop()`` is called or the task is cancelled.
  ///
  /// When it returns, everything that was received is durable, and so is the beginning of a gap of cause
  /// `shutdown`. Throws what the log says when it can take no more; never because of the exchange.
  public func run() async throws {
    let open = try await log.beginFeed(streams: configuration.streams).openGaps
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let finished = loop.makePromise(of: Int64?.self)
    let environment = self.environment
    let log = self.log
    let counters = self.counters
    let stopSignal = self.stopSignal
    loop.execute {
      let driver = FeedDriver(
        environment: environment, log: log, openGaps: open.map(\.id), counters: counters, loop: loop,
        finished: finished)
      driver.start()
      let bound = NIOLoopBound(driver, eventLoop: loop)
      stopSignal.whenRaised { loop.execute { bound.value.stop() } }
    }
    let lastDataAt = try await withTaskCancellationHandler {
      try await finished.futureResult.get()
    } onCancel: {
      stopSignal.raise()
    }
    try await log.endFeed(slots: [FeedEnd(streams: configuration.streams, lastDataAt: lastDataAt)])
  }

  /// Makes ``run()`` stop reading, hand over what it has, and return.
  public func stop() { stopSignal.raise() }
}
