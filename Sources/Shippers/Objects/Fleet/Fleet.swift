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
  /// Microseconds since 1970, UTC.
  package let now: Int64
  package let limits: Limits

  /// For how long a log that is silent, or has stopped, is expected to come back if nobody else has its streams.
  private static let patience: (silent: Int64, stopped: Int64) = (30 * 86_400_000_000, 86_400_000_000)

  package init(_ reading: FleetReader.Reading, now: Int64, limits: Limits) {
    logs = reading.logs
    unreadable = reading.unreadable
    self.now = now
    self.limits = limits
  }

  package func state(_ log: FleetLog) -> State {
    if log.report?.feed == .stopped { return .stopped }
    return now.subtractingSaturated(log.writtenAt.microseconds) > limits.silence ? .silent : .living
  }

  private var living: [FleetLog] { logs.filter { state($0) == .living } }

  /// Whether anybody still expects ticks of it: not of a machine that was put away long ago.
  package func isPresent(_ log: FleetLog) -> Bool {
    let silence = now.subtractingSaturated(log.writtenAt.microseconds)
    return switch state(log) {
    case .living: true
    case .stopped: silence <= Self.patience.stopped
    case .silent: silence <= Self.patience.silent
    }
  }

  // MARK: Who is not well

  package var problems: [Problem] {
    unreadable.map { Problem(logID: nil, what: "\($0) cannot be understood") }
      + (living.isEmpty ? [Problem(logID: nil, what: "no living log ships here")] : [])
      + logs.filter(isPresent).flatMap(problems(of:)) + missingShards
  }

  private func problems(of log: FleetLog) -> [Problem] {
    func problem(_ what: String) -> Problem { Problem(logID: log.logID, what: what) }
    let silence = Figures.duration(
      .microseconds(max(0, now.subtractingSaturated(log.writtenAt.microseconds))))
    var problems: [Problem] = []
    switch state(log) {
    case .living: break
    case .stopped:
      let orphans = orphans(of: log)
      guard orphans > 0 else { return [] }
      problems.append(
        problem(
          "its process was stopped \(silence) ago, and no living log has \(Figures.counted(orphans, "stream")) of it"
        ))
    case .silent:
      let orphans = orphans(of: log)
      // Of a machine that was replaced a day's news is enough.
      guard orphans > 0 || now.subtractingSaturated(log.writtenAt.microseconds) <= Self.patience.stopped
      else { return [] }
      let alone = orphans > 0 ? "; no living log has \(Figures.counted(orphans, "stream")) of it" : ""
      problems.append(
        problem("no word of it for \(silence): it is down, frozen, or cut off from the bucket\(alone)"))
    }
    guard let report = log.report else {
      return problems + [problem("an earlier version of the program ships it, which does not say how it is")]
    }
    for (name, consumer) in report.consumers.sorted(by: { $0.key < $1.key }) {
      if let held = consumer.held {
        problems.append(problem("\(name) is held: \(Text.oneLine(held, limit: 300))"))
      } else if consumer.ageSeconds * 1_000_000 > Double(limits.lag) {
        problems.append(
          problem(
            "\(name) is \(Figures.counted(consumer.lag, "tick")) behind, the oldest \(Figures.duration(.seconds(min(consumer.ageSeconds, 1e9)))) old"
          ))
      }
    }
    if state(log) == .living, let streams = report.streams?.count, streams > 0,
      report.openGaps.streams >= streams
    {
      problems.append(
        problem(
          "nothing is received: a gap of all its streams is open (\(report.openGaps.causes.joined(separator: ", ")))"
        ))
    }
    return problems
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

  package struct Stretch: Equatable, Sendable {
    /// Microseconds since 1970, UTC; both included.
    package let time: ClosedRange<Int64>
    /// The exchange's ids of which some are missing; `nil` if only the time is known.
    package let ids: ClosedRange<Int64>?
    /// In the alphabet's order.
    package let streams: [String]
  }

  /// The stretches of which no log has a stream, by time; streams of one stretch together.
  ///
  /// - Parameter isWhole: else a stream is looked for only while some log has it in its list.
  package func missing(in window: ClosedRange<Int64>, isWhole: Bool) -> [Stretch] {
    let byLog = logs.map { $0.missing(in: window) }
    var found: [StretchKey: [String]] = [:]
    for (stream, expected) in expected(in: window) {
      let window = isWhole ? window : expected
      var common: Missing?
      for missing in byLog {
        guard let own = missing[stream] else { continue }
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

  /// The streams that some log has, or had, in its list within a time, and from when to when.
  private func expected(in window: ClosedRange<Int64>) -> [String: ClosedRange<Int64>] {
    var expected: [String: ClosedRange<Int64>] = [:]
    for log in logs {
      let last: Int64 =
        switch state(log) {
        case .living: .max
        case .stopped: log.writtenAt.microseconds
        case .silent: log.writtenAt.microseconds.addingSaturated(Self.patience.silent)
        }
      let first = log.report?.firstTick?.microseconds ?? .min
      for entry in log.streams?.streams ?? [] {
        let from = max(entry.from.microseconds, window.lowerBound, first)
        let to = min(entry.to?.microseconds ?? last, window.upperBound)
        guard from <= to else { continue }
        let before = expected[entry.name] ?? from...to
        expected[entry.name] = min(before.lowerBound, from)...max(before.upperBound, to)
      }
    }
    return expected
  }
}

extension FleetLog {
  /// The streams in its list.
  fileprivate var listed: [String] { (streams?.streams ?? []).filter { $0.to == nil }.map(\.name) }
}
