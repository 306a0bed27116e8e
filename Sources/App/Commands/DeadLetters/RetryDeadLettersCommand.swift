import ArgumentParser
import Base
import Logging
import Shippers
import WAL

/// `tickwal dead-letters retry`
struct RetryDeadLettersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry", abstract: "Deliver dead letters once more.",
    discussion: """
      An item is written and a record put again; input that was no tick is decoded again and appended if it is one now. A letter \
      goes when that is confirmed, else it has another attempt and the new cause. Objects are frozen without \
      rows that could not be read: those letters stay. Asks a running `run`, with its settings; without one the \
      settings given here count. Exits with 1 if any letter stays.
      """)

  @OptionGroup var choice: DeadLetterChoice
  @Option(help: ArgumentHelp("Without `run`: deliver to a folder instead of AWS", valueName: "folder"))
  var local: String?
  @OptionGroup var flags: ShipFlags

  func run() async throws {
    let ids = try choice.checked()
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    ConsoleLogHandler.bootstrap(settings.logging)
    let logger = Logger(label: "tickwal")
    let connection = AWSConnection(settings.aws, logger: logger)
    defer { connection.close() }
    let local = local
    let logOperator = LogOperator(settings: settings, logger: logger) {
      try await settings.shipping(to: local, aws: connection)
    }
    try await DeadLetterWork(
      command: .retry, ids: ids, consumer: choice.consumer, logOperator: logOperator
    ).run()
  }
}

/// `tickwal dead-letters discard`
struct DiscardDeadLettersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "discard", abstract: "Give dead letters up.",
    discussion: """
      Their ticks are recorded as skipped from then on, and are not tried again, unless the consumer is moved \
      back. With --all it asks first; where there is no terminal it needs --yes. Works with `run` up or down.
      """)

  @OptionGroup var choice: DeadLetterChoice
  @Flag(help: "With --all: do not ask") var yes = false
  @OptionGroup var flags: WriteFlags

  func run() async throws {
    let ids = try choice.checked()
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    ConsoleLogHandler.bootstrap(settings.logging)
    let logOperator = LogOperator(settings: settings, logger: Logger(label: "tickwal")) { .none }
    try await DeadLetterWork(
      command: .discard, ids: ids, consumer: choice.consumer, mayGiveUpAll: yes, logOperator: logOperator
    ).run()
  }
}
