import AWS
import ArgumentParser
import Logging
import Shippers

/// `tickwal doctor`: says what `run` would find.
struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Check whether run would work, and say what is in its way.",
    discussion: """
      Looks at keys, secret, bucket, table, log and exchange. Nothing is written anywhere, except one small \
      object with --write. Exits 0 only if run would work.
      """)

  @Flag(help: "For programs: one JSON document.") var json = false
  @Flag(help: "Put a small object into the bucket, to see whether that works.") var write = false
  @OptionGroup var flags: RunFlags

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    let local = LocalDoctor(settings: settings)
    var findings = [DoctorFinding.ok("settings", "all \(settings.entries.count) are allowed")]
    findings += settings.warnings.map { .warning("settings", $0) }
    findings += try await aws(settings)
    findings += try await local.log()
    findings.append(try await local.exchange())

    let report = DoctorReport(findings: findings)
    if json {
      print(report.document.prettyText)
    } else {
      for line in report.lines { print(line) }
    }
    guard report.isWell else {
      let names = findings.filter { $0.verdict == .failed }.map(\.name)
      throw CommandFailure(.problems, "run would not work: \(names.joined(separator: ", "))")
    }
  }

  private func aws(_ settings: Configuration) async throws -> [DoctorFinding] {
    // What would be logged is in the findings.
    let silent = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
    let connection = AWSConnection(settings.aws, logger: silent)
    defer { connection.close() }
    do {
      return try await AWSDoctor(settings: settings, client: try await connection.client(), writes: write)
        .findings()
    } catch let error as CommandFailure {
      return [.failed("credentials", error.lines.joined(separator: " "))]
    }
  }
}
