import Base
import WAL

/// The feed in a log's status: what its process says, or else what the log has. Pure.
struct FeedReport {
  let view: FeedView
  let status: LogStatus

  // MARK: For people

  /// Names that are shown of silent and of refused streams.
  private static let shownStreams = 3

  var rows: [[String]] {
    [["feed", feed], streams.map { ["streams", $0] }, attempts.map { ["attempts", $0] }].compactMap { $0 }
  }

  private var process: String { status.writerPID.map { "process \($0)" } ?? "a process" }

  private var feed: String {
    switch view {
    case .noProcess: "not connected: no run has the log open"
    case .notListening:
      "unknown: \(process) has the log open and does not listen; it starts or ends, or is another command"
    case .noAnswer(let why): "unknown: \(process) has the log open, and does not tell: \(why)"
    case .told(let feed): text(of: feed)
    }
  }

  private func text(of feed: ControlAnswer.Feed) -> String {
    switch feed.state {
    case .none: return "none: \(process) only ships"
    case .starting: return "not connected: \(process) starts"
    case .ended: return "not connected: \(process) ends"
    case .stuck: return "unknown: the feed's loop in \(process) does not turn"
    case .running: break
    }
    let since = feed.since.map {
      " since \(UTCTime.readable(microseconds: $0)), for \(Figures.duration(time(from: $0, to: status.readAt)))"
    }
    guard feed.connected else { return "not connected\(since ?? "")" }
    return "connected\(since ?? ""), \(Figures.grouped(feed.connections)) of "
      + "\(Figures.grouped(feed.plannedConnections)) connections"
      + (feed.paused ? "; nothing is read while the log cannot take more" : "")
  }

  private var streams: String? {
    guard let running else {
      return status.feed.streams.map { "\(Figures.grouped($0)) in the list of the feed that ran last" }
    }
    var text = "\(Figures.grouped(running.granted)) of \(Figures.grouped(running.streams)) granted"
    for (streams, state) in [(running.silent, "silent"), (running.refused, "refused")] {
      guard streams.count > 0 else { continue }
      let names = Text.list(Array(streams.names.prefix(Self.shownStreams)), limit: Self.shownStreams)
      let more = streams.count - min(streams.names.count, Self.shownStreams)
      text += ", \(Figures.grouped(streams.count)) \(state) (\(names)"
      text += more > 0 ? " and \(Figures.grouped(more)) more)" : ")"
    }
    return text
  }

  private var attempts: String? {
    if status.feed.streams == nil, running == nil { return nil }
    var text = "\(Figures.grouped(status.feed.recentAttempts)) to connect in the last 5 minutes"
    if let next = running?.nextAttemptAt {
      let wait = time(from: status.readAt, to: next)
      text += "; the next one in \(Figures.duration(wait)), at \(UTCTime.readable(microseconds: next))"
    } else if let running, !running.connected {
      text += "; one is under way"
    }
    if let end = status.feed.heldUntil {
      text += "; the exchange asks for a pause until \(UTCTime.readable(microseconds: end))"
    }
    return text
  }

  /// Never less than nothing, whatever the clocks say.
  private func time(from start: Int64, to end: Int64) -> Duration {
    let (length, overflow) = end.subtractingReportingOverflow(start)
    return .microseconds(overflow ? 0 : max(0, length))
  }

  private var told: ControlAnswer.Feed? {
    if case .told(let feed) = view { feed } else { nil }
  }

  /// The names that the files of the process's log have lost: what is read here is not what it writes.
  var logLost: String? { told?.logLost }

  var ofProcess: ControlAnswer.Feed.Process? { told?.process }

  private var running: ControlAnswer.Feed? { told?.state == .running ? told : nil }

  // MARK: For programs

  var document: JSONDocument {
    .object([
      "state": .string(state), "connected": isConnected.map { .bool($0) } ?? .null,
      "since": integer(running?.since), "connections": integer(running?.connections),
      "planned_connections": integer(running?.plannedConnections),
      "streams": integer(running?.streams ?? status.feed.streams), "granted": integer(running?.granted),
      "silent": running.map { document($0.silent) } ?? .null,
      "refused": running.map { document($0.refused) } ?? .null,
      "paused": running.map { .bool($0.paused) } ?? .null, "last_tick_at": integer(status.lastReceivedAt),
      "attempts_last_5_minutes": .integer(status.feed.recentAttempts),
      "next_attempt_at": integer(running?.nextAttemptAt), "held_until": integer(status.feed.heldUntil),
      "why": why.map { .string($0) } ?? .null, "log_lost": logLost.map { .string($0) } ?? .null,
    ])
  }

  private var state: String {
    switch view {
    case .told(let feed): feed.state.rawValue
    case .noProcess: "no_process"
    case .notListening: "not_listening"
    case .noAnswer: "no_answer"
    }
  }

  /// `nil` if it cannot be told.
  private var isConnected: Bool? {
    switch view {
    case .noProcess: false
    case .told(let feed): feed.state == .stuck ? nil : feed.connected
    case .notListening, .noAnswer: nil
    }
  }

  private var why: String? {
    if case .noAnswer(let why) = view { why } else { nil }
  }

  private func document(_ streams: ControlAnswer.Feed.Streams) -> JSONDocument {
    .object(["count": .integer(streams.count), "names": .array(streams.names.map { .string($0) })])
  }

  private func integer(_ number: (some BinaryInteger)?) -> JSONDocument {
    number.map { .integer(Int($0)) } ?? .null
  }
}
