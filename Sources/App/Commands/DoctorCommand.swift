import ArgumentParser
import Shippers

/// `tickwal doctor`: says what `run` would find.
struct DoctorCommand: DocumentCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Check whether run would work, and say what is in its way.",
    discussion: """
      Looks at keys, secret, bucket, table or folder, log and exchange, side by side, for eight seconds at most, and \
      says each finding as it is made; opens one WebSocket at the exchange. Nothing is written anywhere, except \
      small objects with --write. Exits 0 only if everything is well.
      """)

  @Flag(help: "For programs: one JSON document.") var json = false
  @Flag(help: "Put a small object beside those of S3, to see whether that works.") var write = false
  @Option(help: ArgumentHelp("Look at a folder instead of AWS, as run --local delivers", valueName: "folder"))
  var local: String?
  @OptionGroup var flags: RunFlags

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    let doctor = Doctor(settings: settings, local: local, writes: write)
    let showsLines = !json
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await doctor.run() }
      for await finding in doctor.findings.news where showsLines {
        try await StandardOutput.shared.say(DoctorReport.lines(finding))
      }
      try await group.waitForAll()
    }
    let report = DoctorReport(findings: doctor.findings.all)
    if json { try await StandardOutput.shared.write(report.document) }
    guard report.isWell else {
      let names = report.findings.filter { $0.verdict == .failed }.map(\.name)
      throw CommandFailure(.problems, "not everything is well: \(names.joined(separator: ", "))")
    }
  }
}
