import ArgumentParser
import Base
import WAL

/// The flags that name a part of the log, by offsets or by times of receipt.
struct RangeFlags: ParsableArguments, Sendable {
  @Option(help: ArgumentHelp("First offset", valueName: "n")) var fromOffset: String?
  @Option(help: ArgumentHelp("Last offset (default: the head)", valueName: "m")) var toOffset: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Instead of --from-offset: from the first tick received at or after this time (UTC)",
      valueName: "02:10|2026-11-22T02:10Z|-30m")) var since: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Instead of --to-offset: to the last tick received at or before this time", valueName: "time"))
  var until: String?
}

/// The part of the log that `replay` or `reconcile` is about.
struct RangeBounds: Sendable, Equatable {
  private let first: Offset?
  private let last: Offset?
  /// Microseconds since 1970, UTC.
  private let since: Int64?
  private let until: Int64?
  private let dayText: String?
  /// The flag that the first time was given by, for messages.
  private let timeFlag: String

  /// Whether an end was named that must be reached.
  var hasLast: Bool { last != nil }

  /// - Parameters:
  ///   - day: `2026-11-22`, instead of all others.
  ///   - now: microseconds since 1970, UTC.
  /// - Throws: `BadSettings` with every mistake.
  init(_ flags: RangeFlags, day: String? = nil, now: Int64 = WallClock.now()) throws(BadSettings) {
    try self.init(
      fromOffset: flags.fromOffset, toOffset: flags.toOffset, since: flags.since, until: flags.until,
      day: day,
      now: now)
  }

  /// - Parameter flags: what the first offset and the first time are called.
  /// - Throws: `BadSettings` with every mistake.
  init(
    fromOffset: String?, toOffset: String? = nil, since: String?, until: String? = nil, day: String? = nil,
    flags: (offset: String, time: String) = ("--from-offset", "--since"), now: Int64 = WallClock.now()
  ) throws(BadSettings) {
    var problems: [BadSettings.Problem] = []
    func problem(_ flag: String, _ text: String, _ allowed: String) {
      problems.append(.init(name: flag, value: Text.oneLine(text), allowed: allowed))
    }
    func offset(_ text: String?, _ flag: String) -> Offset? {
      guard let text else { return nil }
      if let number = DecimalDigits.parseGrouped(text, upTo: Int64.max), number >= 1 {
        return Offset(rawValue: number)
      }
      problem(flag, text, "a whole number, 1 or more")
      return nil
    }
    func time(_ text: String?, _ flag: String, instead: String?, of other: String) -> Int64? {
      guard let text else { return nil }
      if instead != nil { problem(flag, text, "given without \(other)") }
      let time = TimeText.microseconds(text, now: now)
      if time == nil { problem(flag, text, TimeText.allowed) }
      return time
    }
    first = offset(fromOffset, flags.offset)
    last = offset(toOffset, "--to-offset")
    let start = time(since, flags.time, instead: fromOffset, of: flags.offset)
    let end = time(until, "--until", instead: toOffset, of: "--to-offset")
    dayText = day
    timeFlag = flags.time
    if let day {
      let midnight = TimeText.day(Substring(day)).map { Int64($0.epochSeconds) * 1_000_000 }
      if midnight == nil { problem("--day", day, "a date such as 2026-11-22") }
      if [fromOffset, toOffset, since, until].contains(where: { $0 != nil }) {
        problem("--day", day, "given without other bounds")
      }
      self.since = midnight
      self.until = midnight.map { $0 + 86_400_000_000 - 1 }
    } else {
      (self.since, self.until) = (start, end)
    }
    guard problems.isEmpty else { throw BadSettings(problems: problems) }
  }

  /// Says what times were understood, on stderr, and which offsets they mean.
  ///
  /// - Returns: `nil` for a bound that was not given.
  /// - Throws: `LogError` with `notFound` for times of which the log has nothing.
  func offsets(
    in reader: LogReader, say: (String) -> Void = { Console.standardError.writeLine("tickwal: \($0)") }
  ) async throws -> (first: Offset?, last: Offset?) {
    guard since != nil || until != nil else { return (first, last) }
    let start = try await received(from: since, in: reader)
    let end = try await received(until: until, in: reader)
    if let start, let end, start > end { throw nothing(dayText.map { "on \($0)" } ?? timesText) }
    understood(start, end).forEach(say)
    return (start ?? first, end ?? last)
  }

  private func understood(_ start: Offset?, _ end: Offset?) -> [String] {
    var lines: [String] = []
    if let since, let start {
      lines.append(
        "\(dayText == nil ? "\(timeFlag) is" : "--day is from") \(UTCTime.readable(microseconds: since)): "
          + "offset \(Figures.grouped(start)) is the first that was received then or later")
    }
    if let until, let end {
      lines.append(
        "\(dayText == nil ? "--until is" : "--day is to") \(UTCTime.readable(microseconds: until)): "
          + "offset \(Figures.grouped(end)) is the last that was received until then")
    }
    return lines
  }

  private func received(from time: Int64?, in reader: LogReader) async throws -> Offset? {
    guard let time else { return nil }
    guard let offset = try await reader.firstOffset(receivedFrom: time) else {
      throw nothing(dayText.map { "on \($0)" } ?? "at or after \(UTCTime.readable(microseconds: time))")
    }
    return offset
  }

  private func received(until time: Int64?, in reader: LogReader) async throws -> Offset? {
    guard let time else { return nil }
    guard let offset = try await reader.lastOffset(receivedUntil: time) else {
      throw nothing(dayText.map { "on \($0)" } ?? "at or before \(UTCTime.readable(microseconds: time))")
    }
    return offset
  }

  private var timesText: String {
    "from \(since.map { UTCTime.readable(microseconds: $0) } ?? "its start") "
      + "to \(until.map { UTCTime.readable(microseconds: $0) } ?? "its end")"
  }

  private func nothing(_ when: String) -> LogError {
    LogError(.notFound, "the log has no ticks that were received \(when)")
  }
}
