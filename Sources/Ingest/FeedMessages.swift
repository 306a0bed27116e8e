import Base
import Logging
import WAL

/// The feed's log lines. What may come again and again is said once a minute, with how often it was held back: each
/// slot and each reason for itself.
struct FeedMessages {
  private let logger: Logger
  private let host: String
  private var throttles: [Line: LogThrottle] = [:]
  private var news: [SlotID: ConnectionNews] = [:]

  /// Equal lines, of which one in a period is written.
  private struct Line: Hashable {
    var text: String
    var slot: SlotID?
    var reason: String?
  }

  /// So many different reasons are no reason to hold anything back, or to remember them.
  private static let mostLines = 4_096
  private static let period = Duration.seconds(60)
  /// Streams that are named in one line.
  private static let namedStreams = 10

  init(logger: Logger, host: String) {
    self.logger = logger
    self.host = host
  }

  // MARK: Connections

  /// - Parameters:
  ///   - address: the server's, where its name may have several.
  ///   - gaps: those of the slot that are open, and end with its first tick.
  mutating func connected(
    slot: SlotID, streams: Int, address: String? = nil, gaps: [Gap.ID] = [], at now: Duration
  ) {
    var metadata = Self.metadata(address)
    metadata[LogKey.streams] = .stringConvertible(streams)
    if !gaps.isEmpty { metadata[LogKey.gapIDs] = .array(gaps.map { .stringConvertible($0.rawValue) }) }
    say(news[slot, default: ConnectionNews()].connected(at: now), slot, metadata)
  }

  private static func metadata(_ address: String?) -> Logger.Metadata {
    address.map { [LogKey.address: "\($0)"] } ?? [:]
  }

  /// Says what was held back of connections that do not last.
  mutating func review(at now: Duration) {
    for slot in news.keys.sorted() { say(news[slot]?.review(at: now), slot) }
  }

  private func say(_ line: ConnectionNews.Line?, _ slot: SlotID, _ more: Logger.Metadata = [:]) {
    var metadata = more
    metadata[LogKey.host] = "\(host)"
    metadata[LogKey.slot] = .stringConvertible(slot.number)
    switch line {
    case .connected: logger.info("connected to the exchange", metadata: metadata)
    case .connectedAfter(let time):
      metadata[LogKey.lostFor] = "\(Figures.duration(time))"
      logger.notice(
        metadata[LogKey.gapIDs] == nil
          ? "connected to the exchange again"
          : "connected to the exchange again; what may be missing meanwhile is a gap", metadata: metadata)
    case .connectedAgain(let losses):
      metadata[LogKey.losses] = .stringConvertible(losses)
      logger.notice(
        "connected to the exchange again; it was lost more than once in the last two minutes",
        metadata: metadata)
    case nil: break
    }
  }

  /// - Parameter address: of the server that it was not opened at, where its name may have several.
  mutating func lost(
    _ reason: FeedError, slot: SlotID, address: String? = nil, hasOther: Bool, at now: Duration
  ) {
    let more = Self.metadata(address)
    if hasOther {
      say(
        .notice, "one of two connections to the exchange ended; the other one goes on", slot, reason, at: now,
        more)
    } else {
      let isTold = say(
        .warning, "no connection to the exchange; trying again, ticks until then are missed", slot, reason,
        at: now, more)
      news[slot, default: ConnectionNews()].lost(isTold: isTold, at: now)
    }
  }

  /// The exchange has asked for a pause.
  /// - Parameter until: microseconds UTC.
  mutating func held(_ reason: FeedError, for wait: Duration, until: Int64, at now: Duration) {
    say(
      .warning, "the exchange asks for a pause: no connection is tried before it is over", nil, at: now,
      [
        LogKey.reason: "\(reason)", LogKey.wait: "\(Figures.duration(wait))",
        LogKey.until: "\(Self.time(until))",
      ])
  }

  /// An earlier run was asked for a pause that is not over.
  /// - Parameter until: microseconds UTC.
  func stillHeld(for wait: Duration, until: Int64) {
    logger.warning(
      "the exchange has asked an earlier run for a pause: no connection is tried before it is over",
      metadata: [LogKey.wait: "\(Figures.duration(wait))", LogKey.until: "\(Self.time(until))"])
  }

  private static func time(_ microseconds: Int64) -> String {
    // Milliseconds are enough for people.
    Timestamp.rfc3339(microseconds: Timestamp.clamped(microseconds: microseconds)).dropLast(4) + "Z"
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
          LogKey.streams: .stringConvertible(streams.count), LogKey.names: "\(Self.short(streams))",
          LogKey.wait: "\(pause.map { Figures.duration($0) } ?? "none, in halves")",
        ])
    case .said(let failure):
      say(
        .error, "the exchange says an error on an open connection", slot, at: now,
        [
          LogKey.reason: "\(Self.words(failure.message))",
          LogKey.code: failure.code.map { .stringConvertible($0) } ?? "none",
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
      length.map { [LogKey.time: "\(Figures.duration($0))"] } ?? [:])
  }

  /// - Parameter hasOther: whether the slot has an open connection besides the one that it is about.
  mutating func say(_ report: FeedSession.Report, slot: SlotID, hasOther: Bool, at now: Duration) {
    switch report {
    case .openingTimedOut:
      // Said with what it was waiting for, as a loss.
      break
    case .noAnswer:
      let isTold = say(
        .warning, "the exchange does not answer pings: the connection is dead and is opened anew", slot,
        at: now)
      if !hasOther { news[slot, default: ConnectionNews()].lost(isTold: isTold, at: now) }
    case .attemptsUsedUp(let wait):
      say(
        .warning, "as many attempts to connect were made as the exchange allows; waiting", nil, at: now,
        [LogKey.wait: "\(Figures.duration(wait))"])
    case .silent(let time):
      say(
        .notice, "no data for some time: a second connection looks whether there is any", slot, at: now,
        [LogKey.time: "\(Figures.duration(time))"])
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
        [LogKey.wait: "\(Figures.duration(next))"])
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
        [LogKey.streams: .stringConvertible(streams)])
    case .successorGivenUp(_, let streams, let next):
      say(
        .warning, "a new connection lacked streams of the old one and is closed; the old one is kept", slot,
        at: now, [LogKey.streams: .stringConvertible(streams), LogKey.wait: "\(Figures.duration(next))"])
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
        at: now, [LogKey.wait: "\(Figures.duration(next))"])
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

  mutating func passedOver(_ surplus: Surplus, slot: SlotID, at now: Duration) {
    say(
      .error, "one message had more events than are taken of one: those beyond are missing, and are a gap",
      slot,
      at: now,
      [
        LogKey.events: .stringConvertible(surplus.events),
        LogKey.limit: .stringConvertible(EventArray.mostElements),
        LogKey.stream: "\(surplus.stream ?? "not said")",
      ])
  }

  /// Each finding comes once.
  /// - Parameters:
  ///   - now: of the clock that the findings were made by.
  ///   - wall: the same moment in microseconds UTC.
  func found(_ findings: [StreamWatch.Finding], at now: Duration, wall: Int64) {
    var silent: [String] = []
    var stopped: [String] = []
    var stoppedSince = now
    var standing: [String] = []
    for finding in findings {
      switch finding {
      case .silent(let stream): silent.append(stream)
      case .stopped(let stream, let since):
        stopped.append(stream)
        stoppedSince = min(stoppedSince, since)
      case .standing(let stream, _): standing.append(stream)
      }
    }
    name(silent, "streams have delivered nothing since they were subscribed to; look at their names")
    name(
      stopped, "streams have stopped while others go on; that is no gap",
      [LogKey.since: "\(Self.time(wall - Int64((now - stoppedSince) / .microseconds(1))))"])
    name(standing, "streams deliver, but the time of their events stands still")
  }

  private func name(_ streams: [String], _ text: Logger.Message, _ more: Logger.Metadata = [:]) {
    guard !streams.isEmpty else { return }
    var metadata = more
    metadata[LogKey.streams] = .stringConvertible(streams.count)
    metadata[LogKey.names] = "\(Self.short(streams))"
    logger.warning(text, metadata: metadata)
  }

  private static func short(_ streams: [String]) -> String {
    streams.prefix(namedStreams).joined(separator: ",") + (streams.count > namedStreams ? ",…" : "")
  }

  // MARK: Ids

  /// A finding that comes again and again is said of one stream, with how often it was held back.
  mutating func found(_ finding: SequenceGaps.Finding, slot: SlotID, at now: Duration) {
    switch finding {
    case .followed: break
    case .skipped(let skip):
      say(
        .warning, "the exchange's own ids of a stream skip: what lies between is missing, and is a gap", slot,
        at: now,
        [
          LogKey.stream: "\(skip.stream)", LogKey.after: .stringConvertible(skip.after.id),
          LogKey.before: .stringConvertible(skip.before.id),
        ])
    case .wentBack(let stream, let from, let to):
      say(
        .warning, "the exchange's own ids of a stream have gone back: they are followed anew from there",
        slot,
        at: now,
        [
          LogKey.stream: "\(stream)", LogKey.after: .stringConvertible(from),
          LogKey.before: .stringConvertible(to),
        ])
    case .notProvable(let stream, let isSkipping):
      say(
        .warning,
        isSkipping
          ? "the exchange's own ids of a stream skip all the time: they prove nothing, and are not followed any more"
          : "a stream has events without the exchange's own ids: that it is complete cannot be proven", slot,
        at: now, [LogKey.stream: "\(stream)"])
    }
  }

  // MARK: Holding back

  /// - Returns: whether it was written.
  @discardableResult private mutating func say(
    _ level: Logger.Level, _ text: String, _ slot: SlotID?, _ reason: FeedError? = nil, at now: Duration,
    _ more: Logger.Metadata = [:]
  ) -> Bool {
    if throttles.count >= Self.mostLines { throttles = [:] }
    let line = Line(text: text, slot: slot, reason: reason?.kind)
    guard let held = throttles[line, default: LogThrottle(period: Self.period)].pass(at: now) else {
      return false
    }
    var metadata = more
    if let reason { metadata[LogKey.reason] = "\(reason)" }
    metadata[LogKey.host] = "\(host)"
    if let slot { metadata[LogKey.slot] = .stringConvertible(slot.number) }
    if held > 0 { metadata[LogKey.heldBack] = .stringConvertible(held) }
    logger.log(level: level, "\(text)", metadata: metadata)
    return true
  }
}
