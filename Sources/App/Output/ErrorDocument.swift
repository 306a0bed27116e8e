import ArgumentParser
import Base

/// A command that prints one JSON document with `--json`, whatever happens: what went wrong, if nothing else.
protocol DocumentCommand: AsyncParsableCommand {
  var json: Bool { get }
}

/// The document in the place of the one that an error has kept from being made.
enum ErrorDocument {
  /// `{"error":{"exit_code":…,"messages":[…]}}`
  static func document(_ lines: [String], _ code: ExitCode) -> JSONDocument {
    .object([
      "error": .object([
        "exit_code": .integer(Int(code.rawValue)), "messages": .array(lines.map { .string($0) }),
      ])
    ])
  }

  /// Prints it, unless the command's own is out, or nobody takes it within a second.
  static func write(for command: (any ParsableCommand)?, _ lines: [String], _ code: ExitCode) async {
    guard let command = command as? any DocumentCommand, command.json, !StandardOutput.shared.wasUsed else {
      return
    }
    await withTaskGroup(of: Void.self) { group in
      // A stdout that cannot be written is no news beside the error.
      group.addTask { _ = try? await StandardOutput.shared.write(document(lines, code)) }
      group.addTask { _ = try? await ContinuousClock().sleep(for: .seconds(1)) }
      await group.next()
      group.cancelAll()
    }
  }
}
