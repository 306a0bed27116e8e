import Base
import WAL

/// The judgement of what is not well with a log and the process that writes it: for `status`, `/api/status` and
/// `/readyz` alike. Pure.
struct HealthReport {
  struct Problem: Equatable {
    /// `process`, `feed`, `log`, or a consumer's name.
    let part: String
    /// Microseconds since 1970, UTC; nil if it is not known.
    var since: Int64?
    /// One line: what is not well.
    let what: String
    /// One line: what to do about it.
    let advice: String
    /// Whether the process is not ready because of it.
    var blocksReadiness = true
  }

  let status: LogStatus
  let view: FeedView

  /// The age of the oldest unshipped tick that is well where the process does not say.
  static let usualAge = Duration.seconds(300)

  /// Seconds of one piece of the writer's work from which on the log counts as taking nothing. A commit takes
  /// milliseconds, a step of a checkpoint or of trimming less than a second or two.
  static let longWork = 10.0

  var isHealthy: Bool { problems.isEmpty }

  var problems: [Problem] { process + log + feed + gaps + status.consumers.flatMap(problems(of:)) }

  private var told: ControlAnswer.Feed? { if case .told(let feed) = view { feed } else { nil } }

  // MARK: The process

  private var process: [Problem] {
    switch view {
    case .noProcess:
      let end =
        status.feed.hasNoEnd
        ? "; the last one did not end in order: it was killed, or the machine stopped" : ""
      return [
        Problem(
          part: "process", since: status.lastReceivedAt,
          what: "no `run` has the log open: nothing is received or shipped\(end)",
          advice: "start `tickwal run`")
      ]
    case .notListening:
      return [
        Problem(
          part: "process", what: "a process has the log open and does not listen",
          advice: "look again in a moment: it starts or ends, or is another command")
      ]
    case .noAnswer(let why):
      return [
        Problem(
          part: "process", what: "the process that has the log open does not tell how it is: \(why)",
          advice: "look whether it is stopped, or the machine overloaded")
      ]
    case .told: return []
    }
  }

  // MARK: The log

  private var log: [Problem] {
    if let lost = told?.logLost {
      return [
        Problem(
          part: "log", what: "the log's files were taken away: \(lost)",
          advice: "see its messages for where the log is then; start `run` again")
      ]
    }
    switch told?.process?.disk.flatMap(DiskLevel.init(rawValue:)) {
    case .full:
      return [
        Problem(
          part: "log", since: pausedSince, what: "the log's volume is full: the feed is paused",
          advice: "make room on the volume; it goes on by itself"
        )
      ]
    case .stop:
      return [
        Problem(
          part: "log", since: pausedSince,
          what: "the log's volume has too little room: the feed is paused, shipping goes on",
          advice: "make room on the volume; it goes on by itself")
      ]
    case .low:
      return [
        Problem(
          part: "log", what: "the log's volume is running full: what is shipped is trimmed whatever its age",
          advice: "make room on the volume", blocksReadiness: false)
      ]
    case .normal, nil: break
    }
    if let busy = told?.process?.writerBusySeconds, busy >= Self.longWork {
      let time = Duration.seconds(min(busy, 1e9))
      let pause = told?.paused == true ? "; the queue before it is full: the feed is paused" : ""
      return [
        Problem(
          part: "log", since: status.readAt.subtractingSaturated(Int64(min(busy, 1e9) * 1e6)),
          what:
            "the writer has been at one piece of work for \(Figures.duration(time)): no tick becomes durable meanwhile\(pause)",
          advice: "see its messages: another process holds a lock on the log, or the disk does not answer")
      ]
    }
    guard told?.paused == true else { return [] }
    return [
      Problem(
        part: "log", since: pausedSince, what: "the log's queue is full: the feed is paused",
        advice: "look at the disk: commits are slower than ticks come")
    ]
  }

  /// Gaps of these causes are the log's trouble, not the exchange's.
  private static let causesOfLog: Set<Gap.Cause> = [.diskFull, .queueFull]

  private var pausedSince: Int64? {
    status.openGaps.filter { Self.causesOfLog.contains($0.cause) }.map(\.startedAt).min()
  }

  // MARK: The feed

  private var feed: [Problem] {
    guard let feed = told else { return [] }
    switch feed.state {
    case .none:
      return [
        Problem(
          part: "feed", what: "the process only ships: nothing is received",
          advice: "start `tickwal run` when it is done")
      ]
    case .starting:
      return [Problem(part: "feed", what: "the process starts", advice: "look again in a moment")]
    case .ended: return [Problem(part: "feed", what: "the process ends", advice: "start `tickwal run`")]
    case .stuck:
      return [
        Problem(
          part: "feed", what: "the feed's loop does not turn",
          advice: "look whether the machine is overloaded, else restart `run`")
      ]
    case .running: break
    }
    var problems: [Problem] = []
    if !feed.connected {
      let next = feed.nextAttemptAt.map { "; the next attempt is at \(UTCTime.readable(microseconds: $0))" }
      problems.append(
        Problem(
          part: "feed", since: feed.since, what: "not connected to the exchange\(next ?? "")",
          advice: "see the messages for the reason: the network, a proxy, or the exchange"))
    }
    if feed.refused.count > 0 {
      problems.append(
        Problem(
          part: "feed",
          what:
            "\(Figures.counted(feed.refused.count, "stream")) refused by the exchange: \(Text.list(feed.refused.names, limit: 3))",
          advice: "take the names that do not exist out of the list", blocksReadiness: false))
    }
    return problems
  }

  /// Gaps of single streams; one of all is the feed's own trouble. Those of a feed that is paused are told as the log's.
  private var gaps: [Problem] {
    let isPaused = log.contains(where: \.blocksReadiness)
    let gaps = status.openGaps.filter { !isPaused || !Self.causesOfLog.contains($0.cause) }
    guard told?.state == .running, told?.connected == true, let first = gaps.first else { return [] }
    let open = Set(gaps.flatMap(\.streams))
    let isAll = (status.feed.streams ?? 0) > 0 && open.count >= status.feed.streams ?? 0
    let causes = Set(gaps.map(\.cause.rawValue)).sorted().joined(separator: ", ")
    return [
      Problem(
        part: "feed", since: first.startedAt,
        what:
          "\(isAll ? "all streams are" : Figures.counted(open.count, "stream") + (open.count == 1 ? " is" : " are")) in an open gap (\(causes)): nothing has come since it began",
        advice: "see the open gaps below; a stream that never delivers may not exist any more",
        blocksReadiness: isAll)
    ]
  }

  // MARK: Consumers

  private func problems(of consumer: LogStatus.Consumer) -> [Problem] {
    guard consumer.isEnabled else { return [] }
    let name = consumer.name.rawValue
    let behind = "\(Figures.grouped(consumer.lag)) behind\(growth(of: consumer))"
    if let hold = consumer.hold {
      return [
        Problem(
          part: name, since: hold.since, what: "held: \(hold.why); \(behind)",
          advice: "mend what it says; it is looked at again every minute")
      ]
    }
    let maximum: Duration =
      told?.process?.maximumAge[name].map { .seconds($0.isNaN ? 0 : min(max($0, 0), 1e9)) } ?? Self.usualAge
    let age = Duration.seconds(consumer.lag == 0 ? 0 : consumer.oldestUnshippedSeconds)
    let isLate = age > maximum
    // With nothing left to deliver no delivery shows that it is over.
    if consumer.lag > 0, let trouble = told?.process?.troubles.first(where: { $0.consumer == name }) {
      return [
        Problem(
          part: name, since: trouble.since,
          what:
            "deliveries fail, \(Figures.counted(trouble.failures, "time")) by now: \(trouble.error); \(behind)\(isLate ? ", the oldest \(Figures.duration(age)) old" : "")",
          advice: trouble.passes == true
            ? "everything is tried again until it works; if it lasts: look at the network, and at the service's limits and health"
            : "mend what the error says; everything is tried again until it works",
          blocksReadiness: isLate)
      ]
    }
    guard isLate, told != nil else { return [] }
    return [
      Problem(
        // An age of a damaged row may be any: its microseconds must fit.
        part: name,
        since: status.readAt.subtractingSaturated(
          Int64(min(max(consumer.oldestUnshippedSeconds * 1e6, 0), 9e18))),
        what: "late: the oldest unshipped tick is \(Figures.duration(age)) old; \(behind)",
        advice: "if it does not shrink: look at the destination's limits and the connection to it")
    ]
  }

  private func growth(of consumer: LogStatus.Consumer) -> String {
    guard let rates = told?.process?.rates, let out = rates.shipped[consumer.name.rawValue] else { return "" }
    let growth = rates.appended - out
    if growth >= 1 { return ", growing \(Figures.rounded(growth))/s" }
    guard growth <= -1, consumer.lag > 0 else { return "" }
    let left = Figures.duration(.seconds(Double(consumer.lag) / -growth))
    return ", shrinking \(Figures.rounded(-growth))/s, caught up in \(left)"
  }
}

// MARK: As text and documents

extension HealthReport {
  /// The verdict, first of all that is said: one line, or two for each problem: what it is, and what to do.
  var lines: [String] {
    let problems = problems
    guard !problems.isEmpty else { return ["healthy"] }
    return ["not healthy:"]
      + problems.flatMap { problem in
        let length = problem.since.map {
          " for \(Figures.duration(.microseconds(max(0, status.readAt.subtractingSaturated($0)))))"
        }
        return ["  \(problem.part)\(length ?? ""): \(problem.what)", "    → \(problem.advice)"]
      }
  }

  var document: JSONDocument { .array(problems.map(Self.document)) }

  static func document(_ problem: Problem) -> JSONDocument {
    .object([
      "part": .string(problem.part), "since": problem.since.map { .integer(Int($0)) } ?? .null,
      "what": .string(problem.what), "advice": .string(problem.advice),
      "ready": .bool(!problem.blocksReadiness),
    ])
  }

  /// What `/readyz` says, part by part.
  var readiness: (isReady: Bool, document: JSONDocument) {
    let blocking = problems.filter(\.blocksReadiness)
    let parts = ["process", "feed", "log"] + status.consumers.filter(\.isEnabled).map(\.name.rawValue)
    let isReady = blocking.isEmpty
    return (
      isReady,
      .object([
        "ready": .bool(isReady),
        "parts": .array(
          parts.map { part in
            let own = blocking.filter { $0.part == part }
            return .object([
              "part": .string(part), "well": .bool(own.isEmpty),
              "why": own.first.map { .string($0.what) } ?? .null,
              "since": own.first?.since.map { .integer(Int($0)) } ?? .null,
            ])
          }),
      ])
    )
  }
}
