import Base

/// All logs that ship to one place, judged at one moment. A pure value.
package struct Fleet: Sendable {
  package enum State: String, Sendable {
    case living
    /// Its process has ended in order.
    case stopped
    /// No word of it for too long: it is down, frozen, or cut off from the place.
    case silent
  }

  package struct Problem: Equatable, Sendable {
    /// `nil` if it is nobody's.
    package let logID: String?
    package let what: String
  }

  /// The limits from which on something is wrong, in microseconds.
  package struct Limits: Sendable {
    /// Without a word of a log. Longer than the five minutes between two.
    package var silence: Int64
    /// The age of the oldest tick that a consumer has not shipped.
    package var lag: Int64

    package init(silence: Int64, lag: Int64) {
      self.silence = silence
      self.lag = lag
    }
  }

  package let logs: [FleetLog]
  package let unreadable: [String]
  /// Copies of logs that ship nothing.
  let held: [HeldNote]
  /// Microseconds since 1970, UTC.
  package let now: Int64
  package let limits: Limits

  /// For how long a log that is silent, or has stopped, is expected to come back if no living log has its streams.
  private static let patience: Int64 = 30 * 86_400_000_000
  /// For how long one that is silent is named although living logs have its streams.
  private static let news: Int64 = 86_400_000_000
  /// A note that is dated so far ahead is of a clock that is wrong.
  private static let ahead: Int64 = 60_000_000

  package init(_ reading: FleetReader.Reading, now: Int64, limits: Limits) {
    logs = reading.logs
    unreadable = reading.unreadable
    held = reading.held
    self.now = now
    self.limits = limits
  }

  package func state(_ log: FleetLog) -> State {
    if log.report?.feed == .stopped { return .stopped }
    // How long ago a note from the future was written is not known.
    guard silence(of: log) > limits.silence || -silence(of: log) > limits.silence else { return .living }
    // One that never had a feed, an import, has done its work.
    return log.report?.feed == LogReport.FeedState.none ? .stopped : .silent
  }

  /// Microseconds since its note; negative for one from the future.
  private func silence(of log: FleetLog) -> Int64 { now.subtractingSaturated(log.writtenAt.microseconds) }

  private var living: [FleetLog] { logs.filter { state($0) == .living } }

  /// Whether anybody still expects ticks of it: not of a machine that was put away long ago.
  package func isPresent(_ log: FleetLog) -> Bool {
    state(log) == .living || silence(of: log) <= Self.patience
  }

  // MARK: Who is not well

  package var problems: [Problem] {
    unreadable.map { Problem(logID: nil, what: Text.oneLine($0, limit: 1_200)) }
      + (living.isEmpty ? [Problem(logID: nil, what: "no living log ships here")] : [])
      + logs.filter(isPresent).flatMap(problems(of:)) + heldCopies + missingShards
  }

  /// Each says so every minute, as long as it is held. Its streams, if it has others than the log that ships, are in
  /// nobody's list.
  private var heldCopies: [Problem] {
    held.filter { abs(now.subtractingSaturated($0.writtenAt.microseconds)) <= limits.silence }.map { copy in
      Problem(
        logID: copy.logID,
        what: Text.oneLine(
          "its copy, or the original, on \(copy.host) is held and ships nothing: \(copy.why); stop it and run `tickwal adopt` there",
          limit: 500))
    }
  }

  private func problems(of log: FleetLog) -> [Problem] {
    let orphans = orphans(of: log)
    let alone = "no living log has \(Figures.counted(orphans, "stream")) of it"
    let silence = Figures.duration(.microseconds(max(0, silence(of: log))))
    var what: [String] = []
    switch state(log) {
    case .living: break
    case .stopped:
      guard orphans > 0 else { return [] }
      what.append("its process was stopped \(silence) ago, and \(alone)")
    case .silent:
      guard orphans > 0 || self.silence(of: log) <= Self.news else { return [] }
      what.append(
        (self.silence(of: log) < 0
          ? "whether it lives cannot be told from its note"
          : "no word of it for \(silence): it is down, frozen, or cut off from the bucket")
          + (orphans > 0 ? "; \(alone)" : ""))
    }
    if -self.silence(of: log) > Self.ahead {
      what.append("its note is of \(log.writtenAt), which is to come: a clock is wrong")
    }
    if let report = log.report {
      what += problems(of: report, isLiving: state(log) == .living)
    } else {
      what.append("an earlier version of the program ships it, which does not say how it is")
    }
    if !log.isListTrue {
      what.append("its list of streams is not there, or not the one of its note: what it lacks is not known")
    }
    return what.map { Problem(logID: log.logID, what: Text.oneLine($0, limit: 500)) }
  }

  private func problems(of report: LogReport, isLiving: Bool) -> [String] {
    var what: [String] = []
    for (name, consumer) in report.consumers.sorted(by: { $0.key < $1.key }) {
      let age = Self.seconds(consumer.ageSeconds)
      if let held = consumer.held {
        what.append("\(name) is held: \(held)")
      } else if age > .microseconds(limits.lag) + Self.seconds(consumer.mayWaitSeconds ?? 0) {
        what.append(
          "\(name) is \(Figures.counted(consumer.lag, "tick")) behind, the oldest \(Figures.duration(age)) old"
        )
      }
    }
    if isLiving, let streams = report.streams?.count, streams > 0, report.openGaps.streams >= streams {
      what.append(
        "nothing is received: a gap of all its streams is open (\(report.openGaps.causes.joined(separator: ", ")))"
      )
    }
    return what
  }

  /// A number from a note as a time; what cannot be one is the nearest that can.
  package static func seconds(_ value: Double) -> Duration { .seconds(min(max(value, 0), 1e9)) }

  /// The longest that a tick of a living log may wait for its batch.
  package var longestWait: Duration {
    living.flatMap { $0.report.map { Array($0.consumers.values) } ?? [] }
      .map { Self.seconds($0.mayWaitSeconds ?? 0) }.max() ?? .zero
  }

  /// Streams that it has in its list, and no living log has.
  private func orphans(of log: FleetLog) -> Int {
    var names = Set(log.listed)
    for other in living where other.logID != log.logID { names.subtract(other.listed) }
    return names.count
  }

  /// Of each number of shards that a living log has, those that no living log has.
  private var missingShards: [Problem] {
    let shards = living.compactMap { $0.report?.shard }
    let counts = Set(
      shards.compactMap {
        $0.split(separator: "/").last.flatMap { DecimalDigits.parse($0, upTo: 1_000) as Int? }
      })
    return counts.sorted().flatMap { count in
      (1...max(1, count)).map { "\($0)/\(count)" }.filter { !shards.contains($0) }.map {
        Problem(logID: nil, what: "shard \($0) has no living log")
      }
    }
  }

  // MARK: What is missing

  /// Whether the streams and gaps of every log could be read; else there may be more than is found missing.
  package var isAllKnown: Bool {
    unreadable.isEmpty && logs.allSatisfy { $0.report != nil && $0.isListTrue }
  }

  package struct Stretch: Equatable, Sendable {
    /// Microseconds since 1970, UTC; both included.
    package let time: ClosedRange<Int64>
    /// The exchange's ids of which some are missing; `nil` if only the time is known.
    package let ids: ClosedRange<Int64>?
    /// In the alphabet's order.
    package let streams: [String]
  }

  /// Reasons why more may be missing within a time than ``missing(in:isWhole:)`` can tell.
  package func doubts(in window: ClosedRange<Int64>, isWhole: Bool) -> [Problem] {
    var doubts = logs.compactMap { log -> Problem? in
      // What was passed before the time began was received before it, too.
      guard let passed = log.report?.passedOver, passed.newest.microseconds >= window.lowerBound else {
        return nil
      }
      return Problem(
        logID: log.logID,
        what:
          "\(Figures.counted(passed.ticks, "tick")) of it were skipped or are dead letters, and are not here")
    }
    if isWhole, !logs.isEmpty, expected(in: window, isWhole: true).isEmpty {
      doubts.append(Problem(logID: nil, what: "no log had a stream in its list at that time"))
    }
    return doubts
  }

  /// The stretches of which no log has a stream, by time; streams of one stretch together.
  ///
  /// - Parameter isWhole: else a stream is looked for only from the first tick that a log had of it.
  package func missing(in window: ClosedRange<Int64>, isWhole: Bool) -> [Stretch] {
    let byLog = logs.map { $0.missing(in: window) }
    var found: [StretchKey: [String]] = [:]
    for (stream, window) in expected(in: window, isWhole: isWhole) {
      var common: Missing?
      for missing in byLog {
        guard let own = missing(stream) else { continue }
        common = common?.common(with: own) ?? own
      }
      guard let common else { continue }
      for time in Missing(times: [window]).common(with: Missing(times: common.times)).times {
        // A mere end of the time that is looked at is no stretch of it.
        guard
          time.lowerBound < time.upperBound
            || !(time.contains(window.lowerBound) || time.contains(window.upperBound))
        else { continue }
        found[StretchKey(time: time, ids: nil), default: []].append(stream)
      }
      for skip in common.skips where skip.time.overlaps(window) {
        found[StretchKey(time: skip.time, ids: skip.ids), default: []].append(stream)
      }
    }
    return found.map { Stretch(time: $0.key.time, ids: $0.key.ids, streams: $0.value.sorted()) }
      .sorted {
        ($0.time.lowerBound, $0.time.upperBound, $0.streams[0]) < (
          $1.time.lowerBound, $1.time.upperBound, $1.streams[0]
        )
      }
  }

  private struct StretchKey: Hashable {
    let time: ClosedRange<Int64>
    let ids: ClosedRange<Int64>?
  }

  /// The streams that are looked for within a time, and in which part of it: from the first tick that a log had of it
  /// until the last one had it in its list, or is expected back; what lies between two logs as well.
  ///
  /// - Parameter isWhole: the time was asked for: a stream that was not given up before it is looked for in all of it.
  private func expected(in window: ClosedRange<Int64>, isWhole: Bool) -> [String: ClosedRange<Int64>] {
    var hulls: [String: ClosedRange<Int64>] = [:]
    for log in logs {
      let last = state(log) == .living ? .max : log.writtenAt.microseconds.addingSaturated(Self.patience)
      let first = log.report?.firstTick?.microseconds ?? .min
      for entry in log.streams?.streams ?? [] {
        // One that left the list before a tick of it came may have been quiet.
        guard isWhole || entry.to == nil || entry.firstTick != nil else { continue }
        let from = max((entry.firstTick ?? entry.from).microseconds, first)
        let to = max(from, entry.to?.microseconds ?? last)
        let before = hulls[entry.name] ?? from...to
        hulls[entry.name] = min(before.lowerBound, from)...max(before.upperBound, to)
      }
    }
    return hulls.compactMapValues { hull in
      guard hull.upperBound >= window.lowerBound else { return nil }
      if isWhole { return window }
      return hull.overlaps(window) ? hull.clamped(to: window) : nil
    }
  }
}

extension FleetLog {
  /// The streams in its list.
  fileprivate var listed: [String] { (streams?.streams ?? []).filter { $0.to == nil }.map(\.name) }

  /// Whether what is listed is what the note speaks of: a list is written first, so it may be newer.
  fileprivate var isListTrue: Bool {
    guard let told = report?.streams else { return true }
    guard let streams else { return false }
    return streams.sha256 == told.sha256 || streams.writtenAt > writtenAt
  }
}
