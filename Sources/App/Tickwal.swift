import ArgumentParser
import Base
import Glibc

@main
struct Tickwal: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tickwal",
    abstract: "A durable ingester of exchange ticks.", version: TickwalVersion.text,
    subcommands: [
      RunCommand.self, ShipCommand.self, ReplayCommand.self, ReconcileCommand.self, StatusCommand.self,
      TopCommand.self, TapCommand.self, FleetCommand.self, SeekCommand.self, DeadLettersCommand.self,
      VerifyCommand.self,
      ImportCommand.self, AdoptCommand.self, SimulateCommand.self, DoctorCommand.self, ConfigCommand.self,
    ])

  /// Runs the command, and turns how it ended into an exit status and lines on stderr.
  static func main() async {
    // A reader that went away must show as a failed write, not end the process.
    signal(SIGPIPE, SIG_IGN)
    OpenFileLimit.raise()
    FreedMemory.keep()
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments.first == RunCommand.configuration.commandName { Hangups.ignore() }
    if let objection = KillPoint.objection() { fail(["tickwal: " + objection], .badValue) }
    guard !arguments.isEmpty else {
      fail([helpMessage()], .usage)
    }
    if let objection = CommandNames.objection(arguments) {
      fail(["tickwal: \(Text.oneLine(objection)) (see \(CommandNames.help(arguments)))"], .usage)
    }
    var started: (any ParsableCommand)?
    do {
      let command = try await asyncParseAsRoot(arguments)
      started = command
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        var command = command
        try command.run()
      }
      ProcessEnd.now(.done)
    } catch is StandardOutput.ReaderIsGone {
      ProcessEnd.now(.done)
    } catch let error as any CommandError {
      await ErrorDocument.write(for: started, error.lines, error.exitCode)
      fail(error.lines.map { "tickwal: " + $0 }, error.exitCode)
    } catch {
      // Help and version end well, and print to stdout.
      guard exitCode(for: error) != .success else {
        await show(HelpText(text: fullMessage(for: error)).shown)
        ProcessEnd.now(.done)
      }
      guard exitCode(for: error) == .validationFailure else {
        let text = Text.oneLine(String(describing: error), limit: 2_000)
        await ErrorDocument.write(for: started, [text], .problems)
        fail(["tickwal: " + text], .problems)
      }
      fail(["tickwal: \(message(for: error)) (see \(CommandNames.help(arguments)))"], .usage)
    }
  }

  /// Prints what was asked for instead of a command: a help, the version, a script for completions.
  private static func show(_ text: String) async {
    do {
      try await StandardOutput.shared.write(Array((text + "\n").utf8))
    } catch {
      guard !(error is StandardOutput.ReaderIsGone) else { return }
      fail(["tickwal: \((error as? any CommandError)?.lines.first ?? "\(error)")"], .problems)
    }
  }

  private static func fail(_ texts: [String], _ code: ExitCode) -> Never {
    let lines = texts.flatMap { $0.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
    ProcessEnd.now(code, lastWords: lines)
  }
}
