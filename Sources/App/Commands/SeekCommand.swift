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
      same items. Objects are delivered whole, so an offset within a batch means where the batch begins. \
      Forwards, ticks are never delivered: that needs --skip, and is recorded.
      """)

  @Option(help: ArgumentHelp("Which consumer", valueName: "name")) var consumer: String
  @Option(help: ArgumentHelp("What it is to read next", valueName: "n")) var offset: String
  @Flag(help: "Pass ticks over, never to deliver them") var skip = false
  @Flag(help: "Say what would happen, and change nothing") var dryRun = false
  @OptionGroup var flags: WriteFlags

  func run() async throws {
    guard let number = DecimalDigits.parse(offset, upTo: Int64.max), number >= 1 else {
      throw BadSettings(problems: [
        .init(name: "--offset", value: Text.oneLine(offset), allowed: "a whole number, 1 or more")
      ])
    }
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    ConsoleLogHandler.bootstrap(settings.logging)
    let request = ControlRequest.seek(
      SeekRequest(
        consumer: ConsumerName(rawValue: consumer), offset: Offset(rawValue: number), maySkip: skip),
      dryRun: dryRun)
    let logOperator = LogOperator(settings: settings, logger: Logger(label: "tickwal")) { .none }
    let answer = try await logOperator.ask(request)
    guard let seek = answer.seek else {
      throw CommandFailure(.problems, "the process that has the log open did not say what it did")
    }
    try await StandardOutput.shared.say(SeekReport(seek, dryRun: dryRun).lines)
  }
}
