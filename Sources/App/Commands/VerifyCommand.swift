import ArgumentParser
import Base
import Glibc
import Ingest
import Inspect
import Shippers
import Ticks
import WAL

/// `tickwal verify`: whether the log is what it must be, and a new log of what is left where it is not.
struct VerifyCommand: DocumentCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check the log: every tick, batch and record, and SQLite's own structure.",
    discussion: """
      Reads alone: works with `run` up or down. Exit code 1 if anything is wrong, one line for each of the first \
      100 problems. Where the exchange's own ids of a stream skip outside gaps, that is said, and is no problem \
      of the log. With --salvage it then writes a new log of everything that can be read, with the same offsets \
      and log_id, and says what is lost; the old one is not touched, and `run` must be stopped (else 75).
      """)

  @Flag(help: "For programs: one JSON document.")
  var json = false

  @Option(
    help: ArgumentHelp("Write what can be read to a new log; nothing may be there yet.", valueName: "file"))
  var salvage: String?

  @OptionGroup var flags: ReadFlags

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    try settings.log.path.checkReadable()
    let path = settings.log.path.absolute
    if let salvage {
      try checkNew(salvage, besides: path)
      try LogSalvage.checkUnused(path)
    }
    let output = salvage
    let json = json
    let report = try await Signals.cancelling {
      let meter = VerifyMeter(console: .standardError)
      var report = VerifyReport(path: path)
      do {
        report.verification = try await LogVerification.of(
          path: path, consumers: Destinations.consumers,
          report: meter.show, ids: { IDStep(stream: $0, payload: $1) })
      } catch let error as LogError where output != nil && error.code != .newerSchema {
        report.failure = error.description
      }
      if let output, report.failure == nil, report.verification?.problems.isEmpty == true {
        report.unneeded = output
      } else if let output {
        report.output = output
        report.salvaged = try await LogSalvage(
          of: path, to: output, consumers: Destinations.consumers, report: meter.show
        ).run()
        let check = try await LogVerification.of(
          path: output, consumers: Destinations.consumers, report: meter.show)
        LogSalvage.removeSides(of: output)
        guard check.problems.isEmpty else {
          throw CommandFailure(
            .problems,
            "the new log \(output) is not whole: \(check.problems.first.map(\.text).joined(separator: "; "))")
        }
      }
      Console.standardError.endProgress()
      if json {
        try await StandardOutput.shared.write(report.document)
      } else {
        try await StandardOutput.shared.say(report.lines)
      }
      return report
    }
    if !report.isClean { throw CommandFailure(.problems, report.summary) }
  }

  private func checkNew(_ output: String, besides path: String) throws(BadSettings) {
    func problem(_ reason: String) -> BadSettings {
      BadSettings(problems: [
        .init(
          name: "--salvage", value: Text.oneLine(output), allowed: "a new file in a folder that is writable",
          reason: reason)
      ])
    }
    var status = stat()
    if lstat(output, &status) == 0 { throw problem("it is there already") }
    if output.isEmpty || output.hasSuffix("/") { throw problem("it names no file") }
    if let reason = FileProblem.folder(WALPath(text: output).folder) {
      throw problem("its folder: \(reason)")
    }
  }
}
