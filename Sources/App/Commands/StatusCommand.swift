import ArgumentParser
import Base
import Glibc
import WAL

/// `tickwal status`: what the log says of itself, with `run` up or down, and `run` of its feed.
struct StatusCommand: DocumentCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the log, its feed, its consumers and what they have not shipped.",
    discussion: """
      Says first whether all is well, and ends with 1 if not.

      Reads the log, and asks a running `run` for its feed, for a second at most: works with `run` up, stopped or down, \
      and disturbs nothing.
      """)

  @Flag(help: "For programs: one JSON document (a line each time with --watch).")
  var json = false

  @Flag(help: "Again every second, until Ctrl-C.")
  var watch = false

  @OptionGroup var flags: ReadFlags

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    let path = settings.log.path.text
    if let problem = Self.problem(ofLogTakenFrom: path) { throw problem }
    try settings.log.path.checkReadable()
    let observer = try FeedObserver(logPath: path)
    guard watch else {
      let report = try await report(path, observer)
      if json {
        try await StandardOutput.shared.write(report.document)
      } else {
        try await StandardOutput.shared.say(lines(report))
      }
      if !report.health.isHealthy { ProcessEnd.now(.problems) }
      return
    }
    let json = json
    try await Signals.cancelling {
      var last: LogStatus?
      while true {
        let report = try await report(path, observer, since: last)
        if json {
          try await StandardOutput.shared.write(Array((report.document.text + "\n").utf8))
        } else {
          try StandardOutput.shared.offer(picture(report))
        }
        last = report.status
        try await ContinuousClock().sleep(for: .seconds(1))
      }
    }
  }

  /// A process that has a log open whose file has no name any more.
  private static func problem(ofLogTakenFrom path: String) -> CommandFailure? {
    guard access(path, F_OK) != 0, errno == ENOENT, let pid = LogLock.holder(of: TickLog.file(of: path))
    else {
      return nil
    }
    return CommandFailure(
      .problems,
      "process \(pid) has a log open that is not at \(path) any more: it was removed or moved; the process saves and "
        + "ships what it has, and ends with 74: its messages say where the log is then")
  }

  private func report(
    _ path: String, _ observer: FeedObserver, since last: LogStatus? = nil
  ) async throws -> StatusReport {
    let reader = try await LogReader(path: path)
    let status = try await reader.status()
    try await reader.close()
    let feed = await observer.look(writerPID: status.writerPID)
    return StatusReport(status, path: path, feed: feed, since: last)
  }

  private func picture(_ report: StatusReport) -> String {
    // Home and clear, so that the picture stands still.
    let clear = isatty(STDOUT_FILENO) == 1 ? "\u{1B}[H\u{1B}[2J" : ""
    return clear + lines(report).map { Text.oneLine($0, limit: .max) + "\n" }.joined()
  }

  private func lines(_ report: StatusReport) -> [String] {
    let width = isatty(STDOUT_FILENO) == 1 ? Console(descriptor: STDOUT_FILENO).width : nil
    return report.lines(width: width)
  }
}
