import Base
import Logging
import WAL

/// The feed's log lines. What may come again and again is said once a minute, with how often it was held back.
struct FeedMessages {
  private let logger: Logger
  private let host: String
  private var throttles: [String: LogThrottle] = [:]

  private static let period = Duration.seconds(60)
  /// Streams that are named in one line.
  private static let namedStreams = 10

  init(logger: Logger, host: String) {
    self.logger = logger
    self.host = host
  }

  // MARK: Connections

  func connected(slot: SlotID, streams: Int) {
    logger.info(
      "connected to the exchange",
      metadata: [LogKey.host: "\(host)", LogKey.slot: "\(slot.number)", LogKey.streams: "\(streams)"])
  }

  mutating func lost(_ reason: FeedError, slot: SlotID, hasOther: Bool, at now: Duration) {
    if hasOther {
      say(
        .notice, "one of two connections to the exchange ended; the other one goes on", slot, at: now,
        [LogKey.reason: "\(reason)"])
    } else {
      say(
        .warning, "no connection to the exchange; trying again, ticks until then are missed", slot, at: now,
        [LogKey.reason: "\(reason)"])
    }
  }

  mutating func refused(
    _ streams: [String], _ failure: RequestAnswer.Failure, slot: SlotID, at now: Duration
  ) {
    say(
      .error, "the exchange does not subscribe to these streams; the feed goes on with the others", slot,
      at: now,
      [
        LogKey.reason: "\(failure.message)", LogKey.streams: "\(streams.count)",
        LogKey.names: "\(Self.short(streams))",
      ])
  }

  mutating func say(_ report: FeedSession.Report, slot: SlotID, at now: Duration) {
    switch report {
    case .openingTimedOut:
      // Said with what it was waiting for, as a loss.
      break
    case .noAnswer:
      say(
        .warning, "the exchange does not answer pings: the connection is dead and is opened anew", slot,
        at: now)
    case .attemptsUsedUp(let wait):
      say(
        .warning, "as many attempts to connect were made as the exchange allows; waiting", slot, at: now,
        [LogKey.wait: "\(wait)"])
    case .silent(let time):
      say(
        .notice, "no data for some time: a second connection looks whether there is any", slot, at: now,
        [LogKey.time: "\(time)"])
    case .subscriptionDead:
      say(
        .warning,
        "a connection had gone silent while there was data: the second one has taken over, "
          + "what may be missing is a gap", slot, at: now)
    case .marketWasQuiet:
      say(.info, "there is data again on the first connection: the market was quiet", slot, at: now)
    case .nothingFound(let next):
      say(
        .notice, "a second connection has no data either; the first one is kept", slot, at: now,
        [LogKey.wait: "\(next)"])
    case .rotating(let reason):
      say(
        .info, "opening a new connection that takes over from the old one", slot, at: now,
        [LogKey.reason: "\(Self.text(of: reason))"])
    case .rotated: say(.info, "the new connection has taken over", slot, at: now)
    case .successorSilent:
      say(
        .warning, "a new connection delivered nothing while the old one did; the old one is kept", slot,
        at: now)
    case .successorLost(_, let next):
      say(
        .warning, "a new connection could not take over; the old one is kept and it is tried again", slot,
        at: now, [LogKey.wait: "\(next)"])
    }
  }

  private static func text(of reason: FeedSession.Report.Reason) -> String {
    switch reason {
    case .age: "its age"
    case .shutdownAnnounced: "the exchange says that it will end it"
    case .requested: "asked for"
    case .listChanged: "the list of streams has changed"
    }
  }

  // MARK: Data

  mutating func rejected(_ rejected: [RejectedInput], at now: Duration) {
    guard let first = rejected.first else { return }
    say(
      .warning, "a message that is no tick was kept as a dead letter of the feed", nil, at: now,
      [
        LogKey.reason: "\(first.cause)",
        LogKey.message: "\(String(decoding: first.payload.prefix(200), as: UTF8.self))",
      ])
  }

  /// Each finding comes once.
  func found(_ findings: [StreamWatch.Finding]) {
    var silent: [String] = []
    var standing: [String] = []
    for finding in findings {
      switch finding {
      case .silent(let stream): silent.append(stream)
      case .standing(let stream, _): standing.append(stream)
      }
    }
    name(silent, "streams have delivered nothing since they were subscribed to; look at their names")
    name(standing, "streams deliver, but the time of their events stands still")
  }

  private func name(_ streams: [String], _ text: Logger.Message) {
    guard !streams.isEmpty else { return }
    logger.warning(
      text,
      metadata: [LogKey.streams: "\(streams.count)", LogKey.names: "\(Self.short(streams))"])
  }

  private static func short(_ streams: [String]) -> String {
    streams.prefix(namedStreams).joined(separator: ",") + (streams.count > namedStreams ? ",…" : "")
  }

  // MARK: Holding back

  private mutating func say(
    _ level: Logger.Level, _ text: String, _ slot: SlotID?, at now: Duration,
    _ more: Logger.Metadata = [:]
  ) {
    guard let held = throttles[text, default: LogThrottle(period: Self.period)].pass(at: now) else { return }
    var metadata = more
    metadata[LogKey.host] = "\(host)"
    if let slot { metadata[LogKey.slot] = "\(slot.number)" }
    metadata[LogKey.heldBack] = "\(held)"
    logger.log(level: level, "\(text)", metadata: metadata)
  }
}

/// The keys of the feed's log lines.
enum LogKey {
  static let host = "host"
  /// Which planned connection.
  static let slot = "slot"
  /// How many.
  static let streams = "streams"
  /// The first of them.
  static let names = "names"
  static let reason = "reason"
  static let message = "message"
  static let time = "time"
  /// Until it is tried again.
  static let wait = "wait"
  /// Equal lines not written since the last one.
  static let heldBack = "held_back"
}
