import AWS
import Base
import Logging
import Shippers

/// All checks of `doctor`, side by side: what hangs holds up nothing else, and is named when time is up.
struct Doctor: Sendable {
  let settings: Configuration
  /// The folder of `--local`.
  let local: String?
  /// Whether a small object may be written.
  let writes: Bool
  let findings = DoctorFindings()

  /// For all of it.
  static let patience = Duration.seconds(8)

  /// Returns when each check has answered, or time is up.
  ///
  /// - Throws: `CancellationError`; what nobody expects.
  func run() async throws {
    defer { findings.end() }
    findings.add([.ok("settings", "all \(settings.entries.count) are allowed")])
    findings.add(settings.warnings.map { .warning("settings", $0) })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await check() }
      group.addTask {
        try await ContinuousClock().sleep(for: Self.patience)
        findings.timeIsUp(after: Self.patience)
      }
      try await group.next()
      group.cancelAll()
      while let result = await group.nextResult() {
        if case .failure(let error) = result, !(error is CancellationError) { throw error }
      }
    }
  }

  private func check() async throws {
    let machine = LocalDoctor(settings: settings)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        let streams = try await machine.log(findings)
        try await findings.of("exchange") { [try await machine.exchange(streams: streams)] }
      }
      group.addTask { try await remote() }
      try await group.waitForAll()
    }
  }

  /// The checks of keys, secret and destinations.
  private func remote() async throws {
    // What would be logged is in the findings.
    let silent = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
    let connection = AWSConnection(settings.aws, looksForKeys: false, logger: silent)
    defer { connection.close() }
    let client: AWSClient
    do {
      client = try await connection.client()
    } catch let error as CommandFailure {
      findings.add([.failed("credentials", error.lines.joined(separator: " "))])
      return try await destinations(nil)
    }
    let doctor = AWSDoctor(settings: settings, client: client, isLocal: local != nil)
    let hasKeys = try await findings.of("credentials") { [try await doctor.credentials()] }
      .allSatisfy { $0.verdict == .ok || $0.verdict == .warning }
    try await withThrowingTaskGroup(of: Void.self) { group in
      if hasKeys {
        group.addTask { try await findings.of("identity") { [try await doctor.identity()] } }
        group.addTask { try await findings.of("secret") { try await doctor.secret() } }
      }
      group.addTask { try await destinations(hasKeys ? connection : nil) }
      try await group.waitForAll()
    }
    if hasKeys { findings.add([clock()]) }
  }

  private func destinations(_ connection: AWSConnection?) async throws {
    let doctor = DestinationDoctor(
      settings: settings.destinations, local: local, aws: connection, writes: writes)
    guard let place = try doctor.place(findings) else { return }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for settings in settings.destinations {
        group.addTask {
          try await findings.of(type(of: settings).check) {
            try await doctor.look(settings, at: place)
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// The services whose findings tell the time, by the findings' names.
  private static let services = Dictionary(
    uniqueKeysWithValues: [("identity", "STS")] + Destinations.kinds.map { ($0.check, $0.service) })

  private func clock() -> DoctorFinding {
    DoctorRules.clock(
      findings.all.compactMap { finding in
        guard let service = Self.services[finding.name], let ahead = finding.clockAhead else { return nil }
        return (service, ahead)
      })
  }
}
