import ArgumentParser
import Base
import Logging
import Shippers
import WAL

/// `tickwal seek`: a consumer goes on at another offset.
struct SeekCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seek", abstract: "Let a consumer go on at another offset.",
    discussion: """
      Works while `run` runs, which takes it up at once, and without it. Backwards, what was delivered is \
      delivered again: objects under their own keys, as they are (where one is, that is enough), items as the \
      same items, records once more. Objects are delivered whole, so an offset within a batch means where the batch begins. \
      Forwards, ticks are never delivered: that needs --skip, and is recorded.
      """)

  @Option(help: ArgumentHelp("Which consumer", valueName: "name")) var consumer: String
  @Option(help: ArgumentHelp("What it is to read next", valueName: "n")) var offset: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Instead of --offset: the first tick received at or after this time (UTC)",
      valueName: "02:10|2026-11-22T02:10Z|-30m")) var at: String?
  @Flag(help: "Pass ticks over, never to deliver them") var skip = false
  @Flag(help: "Say what would happen, and change nothing") var dryRun = false
  @OptionGroup var flags: WriteFlags

  func validate() throws {
    guard (offset == nil) != (at == nil) else {
      throw ValidationError("Missing expected argument '--offset <n>' or '--at <time>', and not both")
    }
  }

  func run() async throws {
    let bounds = try RangeBounds(fromOffset: offset, since: at, flags: ("--offset", "--at"))
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    ConsoleLogHandler.bootstrap(settings.logging)
    let start = try await LogReader.reading(settings) { try await bounds.offsets(in: $0).first }
    let request = ControlRequest.seek(
      SeekRequest(
        consumer: ConsumerName(rawValue: consumer), offset: start ?? .first, maySkip: skip),
      dryRun: dryRun)
    let logOperator = LogOperator(settings: settings, logger: Logger(label: "tickwal")) { .none }
    let answer = try await logOperator.ask(request)
    guard let seek = answer.seek else {
      throw CommandFailure(
        .problems, "the process that has the log open did not say what it did: see `tickwal status`")
    }
    try await StandardOutput.shared.say(SeekReport(seek, dryRun: dryRun).lines)
  }
}
