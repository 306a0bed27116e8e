import ArgumentParser
import Base
import CoreMetrics
import Ingest
import Logging
import WAL

/// `tickwal run`: the feed into the log, the log to the sinks.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Append the exchange's ticks to the log and ship them.",
    discussion: """
      Each tick is on the disk before anything else happens to it. SIGTERM or SIGINT stops the feed, lets what \
      is on its way finish within SHUTDOWN_TIMEOUT, and prints the backlog; a second signal ends at once. \
      Nothing is lost either way. SIGHUP reads the list of streams again and replaces the connections, without \
      a gap; it never ends the program.
      """)

  @OptionGroup var sinks: SinkOptions
  @OptionGroup var flags: RunFlags

  func run() async throws {
    let hangups = Hangups.trap()
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    let logger = settings.startLogging()
    try settings.checkFeed()
    try await ShippingRun(label: "run", interrupted: .done, settings: settings, sinks: sinks, logger: logger)
      .run { log, aws in
        let source = StreamSource(settings: settings.feed, connection: aws, log: log, logger: logger)
        return { try await Self.makeFeed(settings, source, log, hangups, logger) }
      }
  }

  private static func makeFeed(
    _ settings: Configuration, _ source: StreamSource, _ log: TickLog, _ hangups: Watch<Int>, _ logger: Logger
  ) async throws -> Pipeline.RunningFeed {
    let seen = hangups.value
    let streams = try await source.streams()
    let feed = try Feed(
      configuration: try settings.feedConfiguration(streams: streams.names), log: log, logger: logger)
    let refresh = StreamRefresh(
      read: source.rereading, interval: settings.feed.refreshInterval, hangups: hangups, target: feed,
      logger: logger, reloading: ServiceNotifier.ofProcess.reloading,
      reloaded: ServiceNotifier.ofProcess.reloaded)
    return Pipeline.RunningFeed(feed: feed) {
      try await refresh.run(names: streams.names, seen: seen, isDue: streams.isOlder)
    }
  }
}

/// `tickwal ship`: empties the backlog.
struct ShipCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ship", abstract: "Ship until the backlog is empty, without a feed, then exit.")

  @OptionGroup var sinks: SinkOptions
  @OptionGroup var flags: ShipFlags

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    let logger = settings.startLogging()
    // A path with a typing mistake would otherwise give a new, empty log, with nothing to ship.
    try settings.log.path.checkReadable()
    let wasInterrupted = try await ShippingRun(
      label: "ship", interrupted: .interrupted, settings: settings, sinks: sinks, logger: logger
    ).run(makeFeed: nil)
    if wasInterrupted {
      throw CommandFailure(.interrupted, "interrupted; the rest is shipped by the next start")
    }
  }
}

/// The destination of `run` and `ship`: AWS, or a folder.
struct SinkOptions: ParsableArguments, Sendable {
  @Option(help: ArgumentHelp("Deliver to a folder instead of AWS", valueName: "folder"))
  var local: String?

  @Flag(help: "Go on although a consumer's destination is another than before.")
  var acceptDestination = false
}

extension Configuration {
  /// Starts logging, and says what is in force.
  func startLogging() -> Logger {
    // Before any handle is made.
    MetricsSystem.bootstrap(MetricCatalogue.registry)
    ConsoleLogHandler.bootstrap(logging)
    let logger = Logger(label: "tickwal")
    for warning in warnings { logger.warning("\(warning)") }
    if logger.logLevel <= .debug {
      logger.debug("settings", metadata: metadata(all: true))
    } else {
      let changed = metadata(all: false)
      if changed.isEmpty {
        logger.info("all settings have their defaults; `tickwal config` shows them")
      } else {
        logger.info("settings that differ from the defaults; `tickwal config` shows all", metadata: changed)
      }
    }
    return logger
  }

  /// - Throws: `BadSettings` naming the variable.
  func feedConfiguration(streams: [String]) throws(BadSettings) -> FeedConfiguration {
    FeedConfiguration(
      endpoint: try feedEndpoint(), streams: streams, caBundle: feed.caBundle, staleAfter: feed.staleAfter,
      maximumAge: feed.maximumAge)
  }

  /// Finds out before anything is opened whether the feed can be made at all.
  ///
  /// - Throws: `BadSettings` naming the variable.
  func checkFeed() throws(BadSettings) {
    guard try feedEndpoint().isSecure, let bundle = feed.caBundle else { return }
    do throws(FeedError) {
      try TrustRoots.check(caBundle: bundle)
    } catch {
      throw BadSettings(problems: [
        .init(
          name: "FEED_CA_BUNDLE", value: Text.oneLine(bundle), allowed: "a PEM file with certificates",
          reason: Text.oneLine(error.description))
      ])
    }
  }

  private func feedEndpoint() throws(BadSettings) -> FeedEndpoint {
    do throws(FeedError) {
      return try FeedEndpoint(url: feed.url?.text, testnet: feed.testnet)
    } catch {
      throw BadSettings(problems: [
        .init(
          name: "BINANCE_WS_URL", value: feed.url.map { URLText.redacted($0.text) } ?? "",
          allowed: "a ws:// or wss:// URL", reason: error.description)
      ])
    }
  }
}
