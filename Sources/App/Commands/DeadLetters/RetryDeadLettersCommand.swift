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
      An item is written again; input that was no tick is decoded again and appended if it is one now. A letter \
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
      back. Works with `run` up or down.
      """)

  @OptionGroup var choice: DeadLetterChoice
  @OptionGroup var flags: WriteFlags

  func run() async throws {
    let ids = try choice.checked()
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    ConsoleLogHandler.bootstrap(settings.logging)
    let logOperator = LogOperator(settings: settings, logger: Logger(label: "tickwal")) { .none }
    try await DeadLetterWork(
      command: .discard, ids: ids, consumer: choice.consumer, logOperator: logOperator
    ).run()
  }
}

/// Asks for letters in portions, and says what became of each.
struct DeadLetterWork: Sendable {
  let command: ControlRequest.Command
  /// `nil` for all that there are now.
  let ids: [KeptDeadLetter.ID]?
  let consumer: String?
  let logOperator: LogOperator

  func run() async throws {
    let ids = if let ids { ids } else { try await all() }
    guard !ids.isEmpty else { return try await StandardOutput.shared.say("no dead letters") }
    let work = self
    let answers = try await Signals.cancelling {
      let answers = try await work.ask(for: ids)
      Console.standardError.endProgress()
      try await StandardOutput.shared.say(Self.summary(answers))
      return answers
    }
    let left = answers.filter { !$0.isSettled }.count
    guard left == 0 else {
      throw CommandFailure(
        .problems, "\(Figures.grouped(left)) of \(Figures.grouped(ids.count)) could not be settled")
    }
  }

  private func ask(for ids: [KeptDeadLetter.ID]) async throws -> [ControlAnswer.Letter] {
    let start = ContinuousClock.now
    var answers: [ControlAnswer.Letter] = []
    while answers.count < ids.count {
      try Task.checkCancellation()
      let portion = ids[answers.count...].prefix(ControlRequest.maximumIDs)
      let answer = try await logOperator.ask(.deadLetters(command, Array(portion)))
      guard let letters = answer.letters, letters.count == portion.count else {
        throw CommandFailure(.problems, "the process that has the log open did not say what became of each")
      }
      try await StandardOutput.shared.say(letters.map(\.line))
      answers += letters
      if Console.standardError.isTerminal, ids.count > ControlRequest.maximumIDs {
        Console.standardError.show(
          ProgressReport(
            label: command.rawValue, done: answers.count, total: ids.count, elapsed: start.duration(to: .now))
        )
      }
    }
    return answers
  }

  private func all() async throws -> [KeptDeadLetter.ID] {
    let consumer = consumer.map { ConsumerName(rawValue: $0) }
    return try await LogReader.reading(logOperator.settings) { reader in
      var ids: [KeptDeadLetter.ID] = []
      while true {
        let page = try await reader.deadLetters(
          of: consumer, before: ids.last ?? .init(rawValue: .max), atMost: 10_000, payload: 0)
        guard !page.isEmpty else { return ids.reversed() }
        ids += page.map(\.id)
      }
    }
  }

  private static func summary(_ answers: [ControlAnswer.Letter]) -> String {
    ControlAnswer.Letter.Outcome.allCases.compactMap { outcome in
      let count = answers.filter { $0.outcome == outcome }.count
      return count > 0 ? "\(Figures.grouped(count)) \(outcome.words)" : nil
    }.joined(separator: ", ")
  }
}

extension ControlAnswer.Letter {
  fileprivate var isSettled: Bool {
    switch outcome {
    case .delivered, .expired, .discarded: true
    case .refused, .untried, .unknown: false
    }
  }

  fileprivate var line: String { "\(id): \(outcome.words)" + (detail.map { ": \($0)" } ?? "") }
}

extension ControlAnswer.Letter.Outcome {
  fileprivate var words: String {
    switch self {
    case .delivered: "delivered"
    case .expired: "expired: its TTL has passed"
    case .refused: "refused again"
    case .untried: "not tried"
    case .discarded: "discarded"
    case .unknown: "not there"
    }
  }
}
