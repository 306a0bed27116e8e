import ArgumentParser
import Glibc
import WAL

/// `tickwal status`: what the log says of itself, with `run` up or down.
struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the log, its consumers and what they have not shipped.",
    discussion: "Reads the log alone: works with `run` up or down, and disturbs nothing.")

  @Flag(help: "For programs: one JSON document (a line each time with --watch).")
  var json = false

  @Flag(help: "Again every second, until Ctrl-C.")
  var watch = false

  @OptionGroup var flags: ReadFlags

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    try settings.log.path.checkReadable()
    let path = settings.log.path.text
    guard watch else {
      let status = try await read(path)
      print(json ? StatusReport(status, path: path).document.prettyText : text(status, path))
      return
    }
    let json = json
    try await Signals.cancelling {
      var last: LogStatus?
      while true {
        let status = try await read(path)
        if json {
          print(StatusReport(status, path: path).document.text)
        } else {
          // Home and clear, so that the picture stands still.
          let clear = isatty(STDOUT_FILENO) == 1 ? "\u{1B}[H\u{1B}[2J" : ""
          print(clear + text(status, path, since: last))
        }
        fflush(nil)
        last = status
        try await ContinuousClock().sleep(for: .seconds(1))
      }
    }
  }

  private func read(_ path: String) async throws -> LogStatus {
    let reader = try await LogReader(path: path)
    let status = try await reader.status()
    try await reader.close()
    return status
  }

  private func text(_ status: LogStatus, _ path: String, since last: LogStatus? = nil) -> String {
    let width = isatty(STDOUT_FILENO) == 1 ? Console(descriptor: STDOUT_FILENO).width : nil
    return StatusReport(status, path: path, since: last).lines(width: width).joined(separator: "\n")
  }
}
