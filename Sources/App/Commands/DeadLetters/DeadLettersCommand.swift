import ArgumentParser
import Base
import WAL

/// `tickwal dead-letters`: what was not delivered, and what becomes of it.
struct DeadLettersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dead-letters",
    abstract: "Look at ticks and inputs that could not be delivered; try them again, or give them up.",
    subcommands: [
      ListDeadLettersCommand.self, ShowDeadLetterCommand.self, RetryDeadLettersCommand.self,
      DiscardDeadLettersCommand.self,
    ])
}

/// The choice of dead letters that a command is about.
struct DeadLetterChoice: ParsableArguments, Sendable {
  @Argument(help: ArgumentHelp("Their ids, from `list`", valueName: "id")) var ids: [String] = []
  @Flag(help: "All of them, or with --consumer all of that one's") var all = false
  @Option(
    help: ArgumentHelp("With --all: whose; feed or import for input that is no tick", valueName: "name"))
  var consumer: String?

  func validate() throws {
    if !all, ids.isEmpty { throw ValidationError("Missing expected argument '<id> ...' or '--all'") }
  }

  /// - Returns: each once, the oldest first; `nil` for all.
  /// - Throws: `BadSettings`.
  func checked() throws -> [KeptDeadLetter.ID]? {
    guard all == ids.isEmpty else {
      throw BadSettings(problems: [
        .init(name: "--all", value: "given", allowed: "given without ids, or ids without it")
      ])
    }
    if consumer != nil, !all {
      throw BadSettings(problems: [
        .init(name: "--consumer", value: consumer.map { Text.oneLine($0) } ?? "", allowed: "given with --all")
      ])
    }
    return all ? nil : Array(Set(try ids.map(Self.id))).sorted { $0.rawValue < $1.rawValue }
  }

  static func id(_ text: String) throws -> KeptDeadLetter.ID {
    guard let number = DecimalDigits.parseGrouped(text, upTo: Int64.max), number >= 1 else {
      throw BadSettings(problems: [
        .init(name: "id", value: Text.oneLine(text), allowed: "a whole number, 1 or more, from `list`")
      ])
    }
    return KeptDeadLetter.ID(rawValue: number)
  }
}

extension LogReader {
  /// Opens a log that must be there for `body`.
  static func reading<T: Sendable>(
    _ settings: Configuration, _ body: @Sendable (LogReader) async throws -> T
  ) async throws -> T {
    try settings.log.path.checkReadable()
    let reader = try await LogReader(path: settings.log.path.absolute)
    let result: Result<T, any Error>
    do {
      result = .success(try await body(reader))
    } catch {
      result = .failure(error)
    }
    try await reader.close()
    return try result.get()
  }
}
