import ArgumentParser
import Base
import Glibc
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

  enum Target: String, CaseIterable {
    case s3, dynamodb, stdout
  }

  @Option(help: ArgumentHelp("First offset", valueName: "n")) var fromOffset: String
  @Option(help: ArgumentHelp("Last offset (default: the head)", valueName: "m")) var toOffset: String?
  @Option(help: ArgumentHelp("Where to", valueName: "s3|dynamodb|stdout")) var to: String
  @Option(help: ArgumentHelp("With --to s3: upload copies under this folder instead", valueName: "folder"))
  var prefix: String?
  @Option(help: ArgumentHelp("Deliver to a folder instead of AWS", valueName: "folder")) var local: String?
  @OptionGroup var flags: ShipFlags

  func run() async throws {
    let (first, last, target) = try checkedArguments()
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    ConsoleLogHandler.bootstrap(settings.logging)
    try settings.log.path.checkReadable()
    let command = self
    let outcome = try await Signals.cancelling {
      try await command.replay(settings, from: first, through: last, to: target)
    }
    Console.standardError.endProgress()
    try say(outcome, target)
  }

  private func replay(
    _ settings: Configuration, from first: Offset, through last: Offset?, to target: Target
  ) async throws -> Replay.Outcome {
    let logger = Logger(label: "tickwal")
    let reader = try await LogReader(path: settings.log.path.text)
    do {
      let meter = ReplayMeter(console: .standardError, first: first)
      let replay = try await Replay(
        reader: reader, from: first, through: last, logger: logger, report: meter.show)
      let outcome = try await deliver(replay, settings, to: target, logger)
      try await reader.close()
      return outcome
    } catch {
      try await reader.close()
      throw error
    }
  }

  private func deliver(
    _ replay: Replay, _ settings: Configuration, to target: Target, _ logger: Logger
  ) async throws -> Replay.Outcome {
    if target == .stdout { return try await replay.rows(to: StandardOutput.write) }
    let objects = prefix.map { settings.objectSettings(folder: $0) } ?? settings.objectSettings
    if let prefix, objects.folder == settings.objectSettings.folder {
      throw BadSettings(problems: [
        .init(
          name: "--prefix", value: Text.oneLine(prefix),
          allowed: "another folder than S3_JSONL_DIR_PATH, where each offset is in one object alone")
      ])
    }
    if let local {
      let folder = try LocalPlace.absolute(local)
      return switch target {
      case .s3 where prefix != nil: try await replay.copies(toFolder: folder, objects)
      case .s3: try await replay.objects(toFolder: folder, objects)
      default: try await replay.items(toFolder: folder, settings.itemSettings)
      }
    }
    let connection = AWSConnection(settings.aws, logger: logger)
    defer { connection.close() }
    let client = try await connection.client()
    return switch target {
    case .s3 where prefix != nil: try await replay.copies(to: client, bucket: settings.s3.bucket, objects)
    case .s3: try await replay.objects(to: client, bucket: settings.s3.bucket, objects)
    default: try await replay.items(to: client, settings.itemSettings)
    }
  }

  // MARK: Arguments

  private func checkedArguments() throws -> (first: Offset, last: Offset?, target: Target) {
    var problems: [BadSettings.Problem] = []
    func offset(_ text: String, _ flag: String) -> Offset {
      if let number = Int64(text), number >= 1 { return Offset(rawValue: number) }
      problems.append(.init(name: flag, value: Text.oneLine(text), allowed: "a whole number, 1 or more"))
      return .first
    }
    let first = offset(fromOffset, "--from-offset")
    let last = toOffset.map { offset($0, "--to-offset") }
    let target = Target(rawValue: to)
    if target == nil {
      problems.append(.init(name: "--to", value: Text.oneLine(to), allowed: "s3, dynamodb or stdout"))
    }
    if let prefix, target != .s3 {
      problems.append(
        .init(name: "--prefix", value: Text.oneLine(prefix), allowed: "given with --to s3 alone"))
    }
    guard problems.isEmpty, let target else { throw BadSettings(problems: problems) }
    return (first, last, target)
  }

  // MARK: Outcome

  private func say(_ outcome: Replay.Outcome, _ target: Target) throws {
    let console = Console.standardError
    let what = target == .s3 ? "objects" : target == .dynamodb ? "items" : "rows"
    var text = "tickwal: replayed \(Figures.grouped(outcome.delivered)) \(what)"
    if outcome.alreadyThere > 0 { text += ", \(Figures.grouped(outcome.alreadyThere)) were there already" }
    if target == .dynamodb {
      text += ", left out \(Figures.grouped(outcome.expired)) whose TTL has passed"
    }
    console.writeLine(text)
    guard !outcome.problems.isEmpty else { return }
    for problem in outcome.problems { console.writeLine("tickwal: \(Text.oneLine(problem))") }
    let count = outcome.problems.count + outcome.moreProblems
    throw CommandFailure(.problems, "\(Figures.grouped(count)) could not be replayed")
  }
}

/// Stdout for rows: written whole, or the error thrown.
enum StandardOutput {
  /// Ends the program quietly when the reader has gone away, as `head` does.
  static func write(_ bytes: [UInt8]) throws {
    guard !bytes.withUnsafeBytes({ FileBytes.write($0, to: STDOUT_FILENO) }) else { return }
    if errno == EPIPE { exit(ExitCode.done.rawValue) }
    throw CommandFailure(.problems, "stdout cannot be written: \(SystemError.lastText)")
  }
}
