import ArgumentParser

/// `tickwal config`: what is in force, and where each value came from.
struct ConfigCommand: DocumentCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Show the settings in force and where each came from.",
    discussion: "Takes the same variables and flags as run, checks them all, and starts nothing.")

  @Flag(help: "For programs: one JSON document.") var json = false
  @OptionGroup var flags: RunFlags

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    if json {
      try await StandardOutput.shared.write(settings.document)
    } else {
      try await StandardOutput.shared.say(settings.table.lines() + [""] + settings.notes)
    }
    for warning in settings.warnings { Console.standardError.writeLine("warning: \(warning)") }
  }
}
