import Base
import Logging
import Shippers
import Synchronization
import WAL

/// All that observes a running process: the HTTP server, its answers, the heartbeat.
struct Observing: Sendable {
  private let log: TickLog
  private let running: Pipeline.Running
  private let settings: ObserveSettings
  private let shipping: Shipping
  private let observer: Observer
  private let bulletin: Bulletin
  private let server: HTTPServer
  private let history: HistoryKeeper
  private let logger: Logger

  init(
    log: TickLog, running: Pipeline.Running, shipping: Shipping, settings: ObserveSettings,
    connection: AWSConnection, feed: @escaping @Sendable () -> ControlAnswer.Feed, logger: Logger
  ) {
    self.log = log
    self.running = running
    self.settings = settings
    self.shipping = shipping
    self.logger = logger
    let bulletin = Bulletin()
    let observer = Observer(
      log: log, running: running, destinations: shipping.destinations, connection: connection
    ) { bulletin.completing(feed(), log: log, running: running) }
    self.bulletin = bulletin
    self.observer = observer
    let history = HistoryKeeper(observer: observer, running: running)
    self.history = history
    server = HTTPServer(settings, logger: logger) { route in
      await HTTPAnswers(observer: observer, log: log, running: running, history: history).answer(route)
    }
    bulletin.prepare(
      maximumAge: Dictionary(
        uniqueKeysWithValues: shipping.destinations.map {
          ($0.consumer.name.rawValue, (settings.readyMaximumLag + $0.batchWait) / .seconds(1))
        }))
    bulletin.serve { [server] in server.current.text }
  }

  /// How the feed stands, and the process beside it, for the control socket.
  func completing(_ feed: ControlAnswer.Feed) -> ControlAnswer.Feed {
    bulletin.completing(feed, log: log, running: running)
  }

  /// How the process stands, in a line for the service manager.
  @Sendable func words() async -> String {
    do {
      return ServiceStatus(sight: try await observer.sight()).text
    } catch {
      return "the log could not be read for this line: \(error)"
    }
  }

  /// Runs until it is cancelled. Nothing that goes wrong here ends anything else.
  func run() async throws {
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        group.addTask { try await remember() }
        if settings.listen != nil { group.addTask { try await history.run() } }
        if let url = settings.heartbeat {
          let heartbeat = Heartbeat(url: url, interval: settings.heartbeatInterval, logger: logger) {
            [observer] in await HTTPAnswers.isReady(observer)
          }
          group.addTask { try await heartbeat.run() }
        }
        try await group.waitForAll()
      }
    } catch is CancellationError {
    } catch {
      logger.error("what observes has ended; everything else goes on", metadata: ["error": "\(error)"])
    }
    await observer.end()
  }

  private func remember() async throws {
    while true {
      bulletin.remember(
        RateMemory.Moment(
          time: MonotonicClock.now(), head: log.head.rawValue,
          next: Dictionary(
            uniqueKeysWithValues: running.progress.map { ($0.consumer.rawValue, $0.snapshot.next.rawValue) })),
        volumeOf: log.path)
      try await ContinuousClock().sleep(for: RateMemory.pause)
    }
  }
}

/// What the process says of itself beside its feed: kept up to date by who knows it, read by who is asked.
private final class Bulletin: Sendable {
  private struct State {
    var maximumAge: [String: Double] = [:]
    var rates = RateMemory()
    var space = SpaceForecast()
    var http: @Sendable () -> String = { "off" }
  }

  private let state = Mutex(State())

  func prepare(maximumAge: [String: Double]) { state.withLock { $0.maximumAge = maximumAge } }
  func serve(_ http: @escaping @Sendable () -> String) { state.withLock { $0.http = http } }
  func remember(_ moment: RateMemory.Moment, volumeOf path: String) {
    let isDue = state.withLock { state in
      state.rates.add(moment)
      return state.space.isDue(at: moment.time)
    }
    // Not under the lock: a volume that hangs must not keep those waiting who ask.
    guard isDue, let volume = Volume.of(path) else { return }
    state.withLock { $0.space.add(available: volume.available, at: moment.time) }
  }

  func completing(
    _ feed: ControlAnswer.Feed, log: TickLog, running: Pipeline.Running
  ) -> ControlAnswer.Feed {
    let state = state.withLock { $0 }
    var feed = feed
    feed.process = ControlAnswer.Feed.Process(
      disk: log.isDiskFull && log.diskLevel ?? .normal == .normal ? "full" : log.diskLevel?.rawValue,
      http: state.http(), maximumAge: state.maximumAge,
      troubles: running.progress.compactMap { progress in
        progress.snapshot.trouble.map {
          ControlAnswer.Feed.Process.Trouble(
            consumer: progress.consumer.rawValue, since: $0.since, failures: $0.failures,
            error: Text.oneLine($0.error, limit: 500), passes: $0.passes)
        }
      }, rates: state.rates.rates, secondsUntilFull: state.space.secondsUntilFull,
      writerBusySeconds: log.busyFor.map { $0.time / .seconds(1) })
    return feed
  }
}
