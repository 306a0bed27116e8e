import ArgumentParser

/// `tickwal config`: what is in force, and where each value came from.
struct ConfigCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Show the settings in force and where each came from.",
    discussion: "Takes the same variables and flags as run, checks them all, and starts nothing.")

  @Flag(help: "For programs: one JSON document.") var json = false
  @OptionGroup var flags: RunFlags

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    if json {
      print(settings.document.prettyText)
    } else {
      for line in settings.table.lines() { print(line) }
    }
    for warning in settings.warnings { Console.standardError.writeLine("warning: \(warning)") }
  }
}
