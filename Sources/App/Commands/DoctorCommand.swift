import AWS
import ArgumentParser
import Logging
import Shippers

/// `tickwal doctor`: says what `run` would find.
struct DoctorCommand: DocumentCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Check whether run would work, and say what is in its way.",
    discussion: """
      Looks at keys, secret, bucket, table or folder, log and exchange. Nothing is written anywhere, except one \
      small object with --write. Exits 0 only if run would work.
      """)

  @Flag(help: "For programs: one JSON document.") var json = false
  @Flag(help: "Put a small object beside those of S3, to see whether that works.") var write = false
  @Option(help: ArgumentHelp("Look at a folder instead of AWS, as run --local delivers", valueName: "folder"))
  var local: String?
  @OptionGroup var flags: RunFlags

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    let machine = LocalDoctor(settings: settings)
    var findings = [DoctorFinding.ok("settings", "all \(settings.entries.count) are allowed")]
    findings += settings.warnings.map { .warning("settings", $0) }
    findings += try await remote(settings)
    findings += try await machine.log()
    findings.append(try await machine.exchange())

    let report = DoctorReport(findings: findings)
    if json {
      try await StandardOutput.shared.write(report.document)
    } else {
      try await StandardOutput.shared.say(report.lines)
    }
    guard report.isWell else {
      let names = findings.filter { $0.verdict == .failed }.map(\.name)
      throw CommandFailure(.problems, "run would not work: \(names.joined(separator: ", "))")
    }
  }

  /// The checks of keys, secret and destinations.
  private func remote(_ settings: Configuration) async throws -> [DoctorFinding] {
    // What would be logged is in the findings.
    let silent = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
    let connection = AWSConnection(settings.aws, logger: silent)
    defer { connection.close() }
    var found: [DoctorFinding]
    do {
      found = try await AWSDoctor(
        settings: settings, client: try await connection.client(), isLocal: local != nil
      ).findings()
    } catch let error as CommandFailure {
      found = [.failed("credentials", error.lines.joined(separator: " "))]
    }
    let hasKeys = !found.contains { $0.name == "credentials" && $0.verdict == .failed }
    found += try await DestinationDoctor(
      settings: settings.destinations, local: local, aws: hasKeys ? connection : nil, writes: write
    ).findings()
    return found
  }
}
