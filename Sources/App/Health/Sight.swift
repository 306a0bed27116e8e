import Base
import Ingest
import Observe
import Shippers
import WAL

/// One look at the process and its log, for those who only observe.
struct Sight: Sendable {
  let status: LogStatus
  let feed: ControlAnswer.Feed
  var statistics: FeedStatistics?
  var volume: Volume?
  var queue = (waiting: 0, capacity: 0)
  var diskLevel: DiskLevel?
  var isDiskFull = false
  /// For how long the writer has been at one piece of work.
  var writerBusyFor: WriterWork?
  /// After which nothing can be written any more.
  var failure: String?
  /// Epoch seconds; infinite for keys that do not expire, nil without keys.
  var credentialsExpiry: Double?
  var clockOffset = 0
}

/// Looks at the process and its log for those who observe. However many ask at a time, one look is under way.
actor Observer {
  private let log: TickLog
  private let running: Pipeline.Running
  private let destinations: [any Destination]
  private let connection: AWSConnection
  /// How the feed stands, as the control socket tells it.
  private let feed: @Sendable () -> ControlAnswer.Feed
  private var looking: Task<Sight, any Error>?

  init(
    log: TickLog, running: Pipeline.Running, destinations: [any Destination], connection: AWSConnection,
    feed: @escaping @Sendable () -> ControlAnswer.Feed
  ) {
    self.log = log
    self.running = running
    self.destinations = destinations
    self.connection = connection
    self.feed = feed
  }

  /// - Throws: the log's errors.
  func sight() async throws -> Sight {
    if let looking { return try await looking.value }
    let look = Task { try await self.look() }
    looking = look
    defer { looking = nil }
    return try await look.value
  }

  /// Waits for the look that is under way: it has a reader of the log.
  func end() async { _ = await looking?.result }

  /// The newest gaps that were open at a time or after it, in the order in which they were found.
  ///
  /// - Throws: the log's errors.
  func gaps(since time: Int64) async throws -> [Gap] {
    let reader = try await log.makeReader()
    do {
      var gaps: [Gap] = []
      if let newest = try await reader.newestGap() {
        let first = Gap.ID(rawValue: max(1, newest.rawValue.subtractingSaturated(History.mostGaps - 1)))
        gaps = try await reader.gaps(from: first, atMost: Int(History.mostGaps))
      }
      try await reader.close()
      return gaps.filter { ($0.endedAt ?? .max) >= time }
    } catch {
      try await reader.close()
      throw error
    }
  }

  func metrics(_ form: Exposition) async throws -> String {
    let samples = MetricSamples(sight: try await sight(), destinations: destinations).all
    return form.document(MetricCatalogue.registry, samples: samples + ProcessSamples.all())
  }

  private func look() async throws -> Sight {
    let reader = try await log.makeReader()
    let status: LogStatus
    do {
      status = try await reader.status()
    } catch {
      try await reader.close()
      throw error
    }
    try await reader.close()
    var sight = Sight(status: status, feed: feed(), statistics: running.feed.value?.statistics)
    sight.volume = Volume.of(log.path)
    sight.queue = log.queueBytes
    sight.diskLevel = log.diskLevel
    sight.isDiskFull = log.isDiskFull
    sight.writerBusyFor = log.busyFor
    sight.failure = (log.knownFailure?.description) ?? log.knownLoss?.description
    if let client = connection.madeClient {
      sight.credentialsExpiry =
        client.credentialsExpiry.map { Double($0) } ?? (client.hasCredentials ? .infinity : nil)
      sight.clockOffset = client.clockOffset
    }
    return sight
  }
}
