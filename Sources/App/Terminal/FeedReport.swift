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
    if let shard = running.shard { text += ", those of shard \(Text.oneLine(shard, limit: 20))" }
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

  var document: JSONDocument { .object(connections + details) }

  private var connections: [JSONDocument.Member] {
    [
      .init(key: "state", value: .string(state)),
      .init(key: "connected", value: isConnected.map { .bool($0) } ?? .null),
      .init(key: "since", value: integer(running?.since)),
      .init(key: "connections", value: integer(running?.connections)),
      .init(key: "planned_connections", value: integer(running?.plannedConnections)),
      .init(key: "streams", value: integer(running?.streams ?? status.feed.streams)),
      .init(key: "granted", value: integer(running?.granted)),
      .init(key: "silent", value: running.map { document($0.silent) } ?? .null),
      .init(key: "refused", value: running.map { document($0.refused) } ?? .null),
    ]
  }

  private var details: [JSONDocument.Member] {
    [
      .init(key: "paused", value: running.map { .bool($0.paused) } ?? .null),
      .init(key: "last_tick_at", value: integer(status.lastReceivedAt)),
      .init(key: "attempts_last_5_minutes", value: .integer(status.feed.recentAttempts)),
      .init(key: "next_attempt_at", value: integer(running?.nextAttemptAt)),
      .init(key: "held_until", value: integer(status.feed.heldUntil)),
      .init(key: "why", value: text(why)),
      .init(key: "log_lost", value: text(logLost)),
      .init(key: "shard", value: text(told?.shard)),
    ]
  }

  private func text(_ text: String?) -> JSONDocument { text.map { .string($0) } ?? .null }

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
