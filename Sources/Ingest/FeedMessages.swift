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

  mutating func judged(_ verdict: Subscriptions.Verdict, slot: SlotID, at now: Duration) {
    switch verdict {
    case .granted: break
    case .refused(let streams, let failure, let pause):
      say(
        .error,
        streams.count == 1
          ? "the exchange does not subscribe to this stream; it is asked for again, the others go on"
          : "the exchange does not subscribe to these streams; they are asked for again, the others go on",
        slot, at: now,
        [
          LogKey.reason: "\(failure.map { Self.words($0.message) } ?? "no answer")",
          LogKey.streams: "\(streams.count)", LogKey.names: "\(Self.short(streams))",
          LogKey.wait: "\(pause.map { "\($0)" } ?? "none, in halves")",
        ])
    case .said(let failure):
      say(
        .error, "the exchange says an error on an open connection", slot, at: now,
        [
          LogKey.reason: "\(Self.words(failure.message))",
          LogKey.code: "\(failure.code.map(String.init) ?? "none")",
        ])
    }
  }

  private static func words(_ text: String) -> String { Text.oneLine(bytes: text.utf8, limit: 200) }

  /// - Parameter length: nil if only the exchange's events show it.
  mutating func thawed(after length: Duration?, at now: Duration) {
    say(
      length.map { $0 < .seconds(5) } == true ? .info : .warning,
      length == nil
        ? "this machine seems to have been paused: the times of events have jumped ahead of its clock"
        : "the process did not run for a while: it was stopped, paused or starved", nil, at: now,
      length.map { [LogKey.time: "\($0)"] } ?? [:])
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
    case .nothingInCommon:
      say(
        .warning,
        "the new connection has taken over, but no message was the same on both: what both delivered is twice in the log",
        slot, at: now)
    case .successorLacks(_, let streams):
      say(
        .warning, "a new connection has not got all streams of the old one; both are kept", slot, at: now,
        [LogKey.streams: "\(streams)"])
    case .successorGivenUp(_, let streams, let next):
      say(
        .warning, "a new connection lacked streams of the old one and is closed; the old one is kept", slot,
        at: now, [LogKey.streams: "\(streams)", LogKey.wait: "\(next)"])
    case .predecessorLags:
      say(
        .notice, "the old connection lags: it is kept until it has delivered what it owes", slot, at: now)
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
  /// The exchange's, of an error.
  static let code = "code"
  /// Equal lines not written since the last one.
  static let heldBack = "held_back"
}
