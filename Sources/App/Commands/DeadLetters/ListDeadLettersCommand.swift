import ArgumentParser
import Base
import Glibc
import WAL

/// `tickwal dead-letters list`
struct ListDeadLettersCommand: DocumentCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "The newest dead letters, with cause and attempts.",
    discussion: "Reads the log alone: works with `run` up or down, and disturbs nothing.")

  @Option(help: ArgumentHelp("Whose; feed or import for input that is no tick", valueName: "name"))
  var consumer: String?
  @Option(help: ArgumentHelp("How many at most", valueName: "n")) var limit = "100"
  @Flag(help: "For programs: one JSON document") var json = false
  @OptionGroup var flags: ReadFlags

  /// The length up to which each payload is shown.
  private static let excerpt = 1_000

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    guard let limit = DecimalDigits.parse(limit, upTo: 10_000), limit >= 1 else {
      throw BadSettings(problems: [
        .init(name: "--limit", value: Text.oneLine(limit), allowed: "a whole number from 1 to 10,000")
      ])
    }
    let consumer = consumer.map { ConsumerName(rawValue: $0) }
    let (letters, counts) = try await LogReader.reading(settings) { reader in
      (
        try await reader.deadLetters(of: consumer, atMost: limit, payload: Self.excerpt),
        try await reader.deadLetterCounts()
      )
    }
    let report = DeadLetterReport(
      letters: letters, counts: counts.filter { consumer == nil || $0.consumer == consumer },
      consumer: consumer)
    let width = isatty(STDOUT_FILENO) == 1 ? Console(descriptor: STDOUT_FILENO).width : nil
    if json {
      try await StandardOutput.shared.write(report.document)
    } else {
      try await StandardOutput.shared.say(report.lines(width: width))
    }
  }
}

/// `tickwal dead-letters show ID`
struct ShowDeadLetterCommand: DocumentCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "One dead letter with its whole payload.",
    discussion: "Reads the log alone: works with `run` up or down, and disturbs nothing.")

  @Argument(help: ArgumentHelp("Its id, from `list`", valueName: "id")) var id: String
  @Flag(help: "For programs: one JSON document") var json = false
  @OptionGroup var flags: ReadFlags

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    let id = try DeadLetterChoice.id(id)
    let letter = try await LogReader.reading(settings) { try await $0.deadLetter(id) }
    guard let letter else {
      throw CommandFailure(
        .problems, "there is no dead letter \(id): `tickwal dead-letters list` names those there are")
    }
    if json {
      try await StandardOutput.shared.write(DeadLetterReport.document(letter))
    } else {
      try await StandardOutput.shared.say(DeadLetterReport.lines(letter))
    }
  }
}
