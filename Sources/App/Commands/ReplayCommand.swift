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
      Reads beside a running `run`. Bounds are inclusive; the end defaults to the head at the start. To S3 it \
      uploads the frozen objects that hold the range under their own keys, or with --prefix copies elsewhere.
      """)

  private static let stdout = "stdout"
  private static var targets: [String] { Destinations.names + [stdout] }

  @Option(help: ArgumentHelp("First offset", valueName: "n")) var fromOffset: String
  @Option(help: ArgumentHelp("Last offset (default: the head)", valueName: "m")) var toOffset: String?
  @Option(help: ArgumentHelp("Where to", valueName: Self.targets.joined(separator: "|"))) var to: String
  @Option(help: ArgumentHelp("With --to s3: upload copies under this folder instead", valueName: "folder"))
  var prefix: String?
  @Option(help: ArgumentHelp("Deliver to a folder instead of AWS", valueName: "folder")) var local: String?
  @OptionGroup var flags: ShipFlags

  func run() async throws {
    let (first, last) = try checkedArguments()
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    let target = settings.destinations.first { type(of: $0).name == to }
    if let prefix { try target?.check(copiesUnder: prefix) }
    ConsoleLogHandler.bootstrap(settings.logging)
    try settings.log.path.checkReadable()
    let command = self
    let (outcome, unit) = try await Signals.cancelling {
      try await command.replay(settings, to: target, from: first, through: last)
    }
    Console.standardError.endProgress()
    try say(outcome, unit)
  }

  private func replay(
    _ settings: Configuration, to target: (any DestinationSettings)?, from first: Offset,
    through last: Offset?
  ) async throws -> (outcome: Replay.Outcome, unit: String) {
    let logger = Logger(label: "tickwal")
    let reader = try await LogReader(path: settings.log.path.text)
    do {
      let meter = ReplayMeter(console: .standardError, first: first)
      let replay = try await Replay(
        reader: reader, from: first, through: last, copiesUnder: prefix, logger: logger, report: meter.show)
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

  private func checkedArguments() throws -> (first: Offset, last: Offset?) {
    var problems: [BadSettings.Problem] = []
    func offset(_ text: String, _ flag: String) -> Offset {
      if let number = DecimalDigits.parse(text, upTo: Int64.max), number >= 1 {
        return Offset(rawValue: number)
      }
      problems.append(.init(name: flag, value: Text.oneLine(text), allowed: "a whole number, 1 or more"))
      return .first
    }
    let first = offset(fromOffset, "--from-offset")
    let last = toOffset.map { offset($0, "--to-offset") }
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
    guard problems.isEmpty else { throw BadSettings(problems: problems) }
    return (first, last)
  }

  // MARK: Outcome

  private func say(_ outcome: Replay.Outcome, _ unit: String) throws {
    let console = Console.standardError
    var text = "tickwal: replayed \(Figures.grouped(outcome.delivered)) \(unit)"
    if outcome.alreadyThere > 0 { text += ", \(Figures.grouped(outcome.alreadyThere)) were there already" }
    if let expired = outcome.expired {
      text += ", left out \(Figures.grouped(expired)) whose TTL has passed"
    }
    console.writeLine(text)
    guard !outcome.problems.isEmpty else { return }
    for problem in outcome.problems { console.writeLine("tickwal: \(Text.oneLine(problem))") }
    let count = outcome.problems.count + outcome.moreProblems
    throw CommandFailure(.problems, "\(Figures.grouped(count)) could not be replayed")
  }
}
