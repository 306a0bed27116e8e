import Base
import Glibc
import Shippers
import WAL

/// Asks for letters in portions, and says what became of each.
struct DeadLetterWork: Sendable {
  let command: ControlRequest.Command
  /// `nil` for all that there are now.
  let ids: [KeptDeadLetter.ID]?
  let consumer: String?
  /// Whether nobody is asked before all are given up.
  var mayGiveUpAll = false
  let logOperator: LogOperator

  /// Of more letters than this, only those that stay are named.
  private static let mostLines = 100

  func run() async throws {
    let ids = if let ids { ids } else { try await all() }
    guard !ids.isEmpty else {
      return try await StandardOutput.shared.say(DeadLetterReport.none(of: consumer))
    }
    if command == .discard, self.ids == nil, !mayGiveUpAll { try confirm(ids.count) }
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

  /// Asks whoever sits at the terminal.
  ///
  /// - Throws: `CommandFailure` where nobody does (64), or says no (1).
  private func confirm(_ count: Int) throws {
    let letters = Figures.counted(count, "dead letter") + (consumer.map { " of \(Text.oneLine($0))" } ?? "")
    guard isatty(STDIN_FILENO) == 1, Console.standardError.isTerminal else {
      throw CommandFailure(
        .usage,
        "this gives up \(letters), never to be delivered: give --yes if that is meant; nothing was changed")
    }
    Console.standardError.writeLine("Give up \(letters)? They are never delivered then. Type yes:")
    guard readLine()?.lowercased() == "yes" else {
      throw CommandFailure(.problems, "nothing was discarded")
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
        throw CommandFailure(
          .problems,
          "the process that has the log open did not say what became of each: see `tickwal dead-letters list`"
        )
      }
      let named = ids.count > Self.mostLines ? letters.filter { !$0.isSettled } : letters
      try await StandardOutput.shared.say(named.map(\.line))
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
