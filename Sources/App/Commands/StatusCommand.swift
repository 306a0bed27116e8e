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
    let (path, observer) = try Self.place(flags)
    guard watch else {
      let report = try await StatusReport.look(path, observer)
      if json {
        try await StandardOutput.shared.write(report.document)
      } else {
        let width = isatty(STDOUT_FILENO) == 1 ? Console(descriptor: STDOUT_FILENO).width : nil
        try await StandardOutput.shared.say(report.lines(width: width))
      }
      if !report.health.isHealthy { ProcessEnd.now(.problems) }
      return
    }
    try await StatusWatch(path: path, observer: observer, isJSON: json).run()
  }

  /// The log that the flags name, and who asks its process.
  ///
  /// - Throws: `BadSettings`; `CommandFailure` for a log that was taken away from its process.
  static func place(_ flags: ReadFlags) throws -> (path: String, observer: FeedObserver) {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    let path = settings.log.path.absolute
    if let problem = problem(ofLogTakenFrom: path) { throw problem }
    try settings.log.path.checkReadable()
    return (path, try FeedObserver(logPath: path))
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
}
