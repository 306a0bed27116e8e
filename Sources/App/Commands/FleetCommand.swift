import ArgumentParser
import Base
import Logging
import Shippers
import WAL

/// `tickwal fleet`: all logs that ship to one bucket, and what none of them has.
struct FleetCommand: DocumentCommand {
  static let configuration = CommandConfiguration(
    commandName: "fleet", abstract: "Show every log that ships to the bucket, and what none of them has.",
    discussion: """
      Reads the bucket alone, from any machine, with the S3 settings of `run`: the notes under _logs/ and the gaps under \
      _gaps/. Shows which logs are silent, late or held, which shards have no living log, and for which stretches of \
      time no log has a stream: where replicas record the same streams, their gaps intersected. Exits with 1 if there \
      is any of it.
      """)

  @Option(help: ArgumentHelp("Look for what is missing on this day (UTC)", valueName: "2026-11-22"))
  var day: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "From this time on (UTC; default: 24 hours ago)", valueName: "02:10|2026-11-22T02:10Z|-30m"))
  var since: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Until this time (default: as long ago as --silent-after)", valueName: "time"))
  var until: String?
  @Option(
    help: ArgumentHelp(
      "A log without a word for so long is silent; each says how it is every 5 minutes (default: 660)",
      valueName: "seconds")) var silentAfter: String?
  @Flag(help: "For programs: one JSON document") var json = false
  @Option(help: ArgumentHelp("Look into a folder of --local instead of the bucket", valueName: "folder"))
  var local: String?
  @OptionGroup var flags: FleetFlags

  func run() async throws {
    let now = WallClock.now()
    let question = try FleetQuestion(
      day: day, since: since, until: until, silentAfter: silentAfter, now: now)
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    ConsoleLogHandler.bootstrap(settings.logging)
    if let local { _ = try LocalPlace.existing(local) }
    let command = self
    let report = try await Signals.cancelling { try await command.look(settings, question) }
    if json {
      try await StandardOutput.shared.write(report.document)
    } else {
      try await StandardOutput.shared.say(report.lines)
    }
    if !report.isWell { throw CommandFailure(.problems, report.summary) }
  }

  private func look(_ settings: Configuration, _ question: FleetQuestion) async throws -> FleetReport {
    let connection = AWSConnection(settings.aws, logger: Logger(label: "tickwal"))
    defer { connection.close() }
    for destination in settings.destinations {
      let made =
        if let local {
          try destination.destination(inFolder: LocalPlace.absolute(local), clock: .system)
        } else if type(of: destination).makesCopies {
          try await destination.destination(connection)
        } else { nil as (any Destination)? }
      guard let made, case .objects(let objects) = made.inventory else { continue }
      let reading = try await FleetReader(objects).read(question.window)
      return FleetReport(
        place: Destinations.text(ofAddress: made.address),
        fleet: Fleet(reading, now: question.now, limits: question.limits), question: question)
    }
    preconditionFailure("no destination has objects")
  }
}

/// For `fleet`, which needs no log.
struct FleetFlags: SettingFlags {
  @OptionGroup(title: "AWS") var aws: AWSSettings.Flags
  @OptionGroup var destinations: Destinations
  @OptionGroup(title: "Messages") var logging: LoggingSettings.Flags
  var groups: [any ParsableArguments & Sendable] { [aws] + destinations.groups + [logging] }
}

/// The times that `fleet` is asked about.
struct FleetQuestion: Sendable {
  /// Microseconds since 1970, UTC.
  let now: Int64
  let window: ClosedRange<Int64>
  /// Whether the window was given, so that all of it must be there.
  let isWhole: Bool
  /// Whether its end was given; otherwise it is where everything is told.
  let hasEnd: Bool
  let limits: Fleet.Limits

  private static let day: Int64 = 86_400_000_000

  /// - Throws: `BadSettings` with every mistake.
  init(
    day: String? = nil, since: String? = nil, until: String? = nil, silentAfter: String? = nil, now: Int64
  ) throws(BadSettings) {
    var problems: [BadSettings.Problem] = []
    func time(_ text: String?, _ flag: String) -> Int64? {
      guard let text else { return nil }
      let time = TimeText.microseconds(text, now: now)
      if time == nil {
        problems.append(.init(name: flag, value: Text.oneLine(text), allowed: TimeText.allowed))
      }
      return time
    }
    var silence: Int64 = 660
    if let silentAfter {
      if let seconds = DecimalDigits.parse(silentAfter, upTo: Int64(31_536_000)), seconds >= 1 {
        silence = seconds
      } else {
        problems.append(
          .init(
            name: "--silent-after", value: Text.oneLine(silentAfter),
            allowed: "a whole number of seconds from 1 to 31,536,000"))
      }
    }
    var (first, last) = (time(since, "--since"), time(until, "--until"))
    if let day {
      let midnight = TimeText.day(Substring(day)).map { Int64($0.epochSeconds) * 1_000_000 }
      if midnight == nil {
        problems.append(.init(name: "--day", value: Text.oneLine(day), allowed: "a date such as 2026-11-22"))
      }
      if since != nil || until != nil {
        problems.append(.init(name: "--day", value: Text.oneLine(day), allowed: "given without other bounds"))
      }
      (first, last) = (midnight, midnight.map { $0 + Self.day - 1 })
    }
    // What is newer may be there, and not be said yet. Who names the time knows better.
    let settled = now - silence * 1_000_000
    let end = min(last ?? settled, day == nil ? now : settled)
    let start = first ?? end - Self.day
    if problems.isEmpty, start >= end {
      problems.append(
        .init(
          name: day == nil ? "--since" : "--day", value: Text.oneLine(day ?? since ?? "24 hours ago"),
          allowed: "a time before the end of what is asked for, \(UTCTime.readable(microseconds: end))"))
    }
    guard problems.isEmpty else { throw BadSettings(problems: problems) }
    self.now = now
    window = start...end
    isWhole = day != nil || since != nil
    hasEnd = end < settled || until != nil
    limits = Fleet.Limits(silence: silence * 1_000_000, lag: 300_000_000)
  }

  /// The window, up to what can be there where ticks wait so long for their batches.
  func window(waiting wait: Duration) -> ClosedRange<Int64> {
    let end = window.upperBound.subtractingSaturated(hasEnd ? 0 : Int64(wait / .microseconds(1)))
    return window.lowerBound...max(window.lowerBound, end)
  }
}
