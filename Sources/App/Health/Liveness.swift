import Base
import Ingest
import WAL

/// The judgement whether the process turns, for `/livez`: nothing of the exchange, the disk or AWS makes it say no.
/// Pure.
struct ProcessLiveness {
  /// After which the log's writer can go on no more; nil as long as it can.
  var writerFailure: String?
  /// For how long the writer has been at one piece of work. In a system call, or waiting for a lock or for room, it
  /// counts as turning; on a processor all the time it goes round in a circle.
  var writerBusyFor: WriterWork?
  /// When the feed's loop has turned last, on the monotonic clock; nil before it runs, and without a feed.
  var feedTurnedAt: Duration?
  var isFeedOver = false
  let now: Duration

  /// The time after which a loop that has not turned counts as stuck: many times its beat.
  static let patience = Duration.seconds(30)

  /// No piece of work takes a processor for so long.
  static let mostWork = Duration.seconds(60)

  private var writerTrouble: String? {
    if let writerFailure { return writerFailure }
    guard let work = writerBusyFor, work.processorTime > Self.mostWork else { return nil }
    return "it has computed for \(Figures.duration(work.processorTime)) at one piece of work"
  }

  private var feedStuckFor: Duration? {
    guard !isFeedOver, let feedTurnedAt, now - feedTurnedAt > Self.patience else { return nil }
    return now - feedTurnedAt
  }

  var isAlive: Bool { writerTrouble == nil && feedStuckFor == nil }

  var document: JSONDocument {
    .object([
      "alive": .bool(isAlive),
      "parts": .array([
        part("writer", writerTrouble, [("busy_seconds", (writerBusyFor?.time ?? .zero) / .seconds(1))]),
        part("feed", feedStuckFor.map { "its loop has not turned for \(Figures.duration($0))" }),
        // Whoever answers this runs where their loops do.
        part("shippers", nil),
      ]),
    ])
  }

  /// The answer where nobody came to make one.
  static let stuck = JSONDocument.object([
    "alive": .bool(false),
    "parts": .array([
      .object([
        "part": .string("shippers"), "well": .bool(false),
        "why": .string("the pool of threads that the shippers' loops run on has not answered"),
      ])
    ]),
  ])

  private func part(_ name: String, _ why: String?, _ more: [(String, Double)] = []) -> JSONDocument {
    .object(
      [
        .init(key: "part", value: .string(name)), .init(key: "well", value: .bool(why == nil)),
        .init(key: "why", value: why.map { .string($0) } ?? .null),
      ] + more.map { .init(key: $0.0, value: .number($0.1)) })
  }
}

extension ProcessLiveness {
  /// - Parameter feed: `nil` before there is one.
  init(log: TickLog, feed: FeedStatistics?) {
    self.init(
      writerFailure: log.knownFailure?.description, writerBusyFor: log.busyFor, feedTurnedAt: feed?.turnedAt,
      isFeedOver: feed?.isOver ?? true, now: MonotonicClock.now())
  }
}
