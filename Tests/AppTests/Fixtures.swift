import ArgumentParser

@testable import tickwal

/// A configuration from a command line and an environment, as `run` would get it.
func configuration(
  _ environment: [String: String] = [:], flags: [String] = []
) throws -> Configuration {
  try Configuration(flags: RunFlags.parse(flags), environment: environment)
}

/// What is said of settings that must not be accepted; empty if they are.
func complaints(_ environment: [String: String] = [:], flags: [String] = []) throws -> [String] {
  do {
    _ = try configuration(environment, flags: flags)
    return []
  } catch let error as BadSettings {
    return error.lines
  }
}
