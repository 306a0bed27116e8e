import ArgumentParser
import Base
import Logging
import Shippers
import WAL

/// `tickwal replay`: a range of the log once more.
struct ReplayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Deliver a range of the log again; moves no consumer.",
    discussion: """
      Reads beside a running `run`. Bounds are inclusive, by offset or by time of receipt; the end defaults to the \
      head at the start. To S3 it uploads the frozen objects that hold the range under their own keys, and ends \
      with the last one there is unless --to-offset says more; or with --prefix copies elsewhere. What is refused \
      five times in a row ends it with 1.
      """)

  private static let stdout = "stdout"
  private static var targets: [String] { Destinations.names + [stdout] }

  @OptionGroup var bounds: RangeFlags
  @Option(help: ArgumentHelp("Where to", valueName: Self.targets.joined(separator: "|"))) var to: String
  @Option(help: ArgumentHelp("With --to s3: upload copies under this folder instead", valueName: "folder"))
  var prefix: String?
  @Option(help: ArgumentHelp("Deliver to a folder instead of AWS", valueName: "folder")) var local: String?
  @OptionGroup var flags: ShipFlags

  func validate() throws {
    if bounds.fromOffset == nil, bounds.since == nil {
      throw ValidationError("Missing expected argument '--from-offset <n>' or '--since <time>'")
    }
  }

  func run() async throws {
    let bounds = try checkedArguments()
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    let target = settings.destinations.first { type(of: $0).name == to }
    if let prefix { try target?.check(copiesUnder: prefix) }
    ConsoleLogHandler.bootstrap(settings.logging)
    try settings.log.path.checkReadable()
    let command = self
    let (outcome, unit) = try await Signals.cancelling {
      try await command.replay(settings, to: target, bounds)
    }
    Console.standardError.endProgress()
    try say(outcome, unit)
  }

  private func replay(
    _ settings: Configuration, to target: (any DestinationSettings)?, _ bounds: RangeBounds
  ) async throws -> (outcome: Replay.Outcome, unit: String) {
    let logger = Logger(label: "tickwal")
    let reader = try await LogReader(path: settings.log.path.absolute)
    do {
      let offsets = try await bounds.offsets(in: reader)
      let first = offsets.first ?? .first
      let meter = ReplayMeter(console: .standardError, first: first)
      let replay = try await Replay(
        reader: reader, from: first, through: offsets.last, mayEndEarlier: !bounds.hasLast,
        copiesUnder: prefix,
        logger: logger, report: meter.show)
      let outcome = try await deliver(replay, to: target, settings, logger)
      try await reader.close()
      return outcome
    } catch {
      try await reader.close()
      throw error
    }
  }

  private func deliver(
    _ replay: Replay, to target: (any DestinationSettings)?, _ settings: Configuration, _ logger: Logger
  ) async throws -> (outcome: Replay.Outcome, unit: String) {
    guard let target else {
      return (try await replay.rows(to: StandardOutput.shared.write), "rows")
    }
    let connection = AWSConnection(settings.aws, logger: logger)
    defer { connection.close() }
    let destination =
      if let local {
        try target.destination(inFolder: try LocalPlace.absolute(local), clock: .system)
      } else {
        try await target.destination(connection)
      }
    return (try await destination.replay(replay), destination.unit)
  }

  // MARK: Arguments

  private func checkedArguments() throws -> RangeBounds {
    var problems: [BadSettings.Problem] = []
    var checked: RangeBounds?
    do throws(BadSettings) {
      checked = try RangeBounds(bounds)
    } catch {
      problems = error.problems
    }
    if !Self.targets.contains(to) {
      problems.append(
        .init(name: "--to", value: Text.oneLine(to), allowed: Text.alternatives(Self.targets)))
    }
    let copied = Destinations.kinds.filter { $0.makesCopies }.map { $0.name }
    if let prefix, !copied.contains(to) {
      problems.append(
        .init(
          name: "--prefix", value: Text.oneLine(prefix),
          allowed: "given with --to \(Text.alternatives(copied)) alone"))
    }
    guard problems.isEmpty, let checked else { throw BadSettings(problems: problems) }
    return checked
  }

  // MARK: Outcome

  private func say(_ outcome: Replay.Outcome, _ unit: String) throws {
    let console = Console.standardError
    var text = "tickwal: replayed \(Figures.counted(outcome.delivered, plural: unit))"
    if outcome.alreadyThere > 0 {
      text +=
        ", \(Figures.grouped(outcome.alreadyThere)) \(outcome.alreadyThere == 1 ? "was" : "were") there already"
    }
    if let expired = outcome.expired {
      text += ", left out \(Figures.grouped(expired)) whose TTL has passed"
    }
    if let end = outcome.endedEarly {
      text +=
        "; ended at offset \(Figures.grouped(end.last)), the last that is in an object: "
        + "\(Figures.counted(end.left, "tick")) after it \(end.left == 1 ? "is" : "are") in none yet"
    }
    console.writeLine(text)
    guard !outcome.problems.isEmpty else { return }
    for problem in outcome.problems { console.writeLine("tickwal: \(Text.oneLine(problem))") }
    let count = outcome.problems.count + outcome.moreProblems
    throw CommandFailure(
      .problems, "\(Figures.grouped(count)) could not be replayed: the lines above say which, and why")
  }
}

extension Refusal: CommandError {
  var exitCode: ExitCode { .problems }
  var lines: [String] {
    [
      "\(Text.oneLine(description, limit: 4_000)); what was delivered until now stays: run it again when that is mended"
    ]
  }
}
