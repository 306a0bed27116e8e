import AWS
import ArgumentParser
import Base
import Glibc
import Ingest
import Logging
import WAL

/// `tickwal import`: recorded messages into the log.
struct ImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Append recorded messages (JSON Lines, plain or gzip) to the log.",
    discussion: """
      One message a line, as the exchange sends them: combined, an event alone, or an array of events. What is \
      no tick is kept as a dead letter of import; a file of whose first 100 lines none is a tick is refused. \
      Interrupted, the same file goes on where it stopped. Ticks count as received at the time of the import. \
      Needs the log for itself: stop `run` first.
      """)

  @Argument(
    help: ArgumentHelp("The file, or - for stdin; stdin and pipes cannot be resumed.", valueName: "file"))
  var file: String

  @Flag(help: "Import the file from its beginning, even if it was imported before.")
  var again = false

  @Flag(help: "Import the file even if its beginning has no tick.")
  var force = false

  @OptionGroup var flags: WriteFlags

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    ConsoleLogHandler.bootstrap(settings.logging)
    let logger = Logger(label: "tickwal")
    let file = file
    let (again, force) = (again, force)
    let progress = try await Signals.cancelling {
      let size = file == "-" ? nil : try FileHash.size(of: file)
      let sha256 = size == nil ? nil : try FileHash.sha256(of: file)
      let log = try await settings.openLog(logger: logger)
      let progress: FileImport.Progress
      do {
        progress = try await importFile(file, sha256, size, again: again, force: force, into: log)
      } catch {
        Console.standardError.endProgress()
        try await log.close()
        throw error
      }
      try await log.close()
      Console.standardError.endProgress()
      try await StandardOutput.shared.say(Self.summary(progress))
      return progress
    }
    if progress.ticks == 0, progress.rejected > 0 {
      throw CommandFailure(
        .problems, "nothing in \(Text.oneLine(file)) is a tick; what it has: `tickwal dead-letters list`")
    }
  }

  private func importFile(
    _ file: String, _ sha256: String?, _ size: Int?, again: Bool, force: Bool, into log: TickLog
  ) async throws -> FileImport.Progress {
    let console = Console.standardError
    if sha256 == nil {
      let name = file == "-" ? "stdin" : "\(Text.oneLine(file)) is a pipe or device, which"
      console.writeLine(
        "tickwal: \(name) cannot be resumed: if this is interrupted, keep what is not imported yet")
    }
    let meter = ImportMeter(console: console, total: size)
    let fileImport = try FileImport(path: file, sha256: sha256, log: log)
    return try await withThrowingTaskGroup(of: FileImport.Progress.self) { group in
      group.addTask { try await fileImport.run(again: again, force: force) { meter.show($0) } }
      group.addTask { ImmediateExit.logFailed(try await log.failure()) }
      defer { group.cancelAll() }
      guard let progress = try await group.next() else { throw CancellationError() }
      return progress
    }
  }

  private static func summary(_ progress: FileImport.Progress) -> String {
    var text = "imported \(Figures.counted(progress.ticks, "tick"))"
    if let first = progress.first, let last = progress.last {
      text += " (offsets \(Figures.grouped(first)) to \(Figures.grouped(last)))"
    }
    if progress.resumedLines > 0 {
      text += ", after \(Figures.counted(progress.resumedLines, "line")) that an earlier import had finished"
    }
    if progress.rejected > 0 {
      let kept = WriteTransaction.keptRejects
      text += "; no ticks, and kept as dead letters of import: "
      text +=
        progress.rejected > kept
        ? "the newest \(Figures.grouped(kept)) of \(Figures.grouped(progress.rejected)) inputs"
        : Figures.counted(progress.rejected, "input")
    }
    return text
  }
}

extension ImportError: CommandError {
  var exitCode: ExitCode {
    switch code {
    case .unreadable, .badGzip, .alreadyImported, .noTicks: .problems
    }
  }

  var lines: [String] { [Text.oneLine(description, limit: 4_000)] }
}
