import ArgumentParser
import Base
import Shippers

@testable import tickwal

// Parsing all flags takes 50 ms in a debug build, too long for each of some hundred values.
private let noFlags = Result { try RunFlags.parse([]) }

/// A configuration from a command line and an environment, as `run` would get it.
func configuration(
  _ environment: [String: String] = [:], flags: [String] = []
) throws -> Configuration {
  try Configuration(flags: flags.isEmpty ? noFlags.get() : RunFlags.parse(flags), environment: environment)
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

extension Configuration {
  var s3: S3Settings { settings() }
  var dynamo: DynamoSettings { settings() }
  var kinesis: KinesisSettings { settings() }

  private func settings<S: DestinationSettings>() -> S {
    guard let settings = destinations.lazy.compactMap({ $0 as? S }).first else {
      preconditionFailure("\(S.self) is not in the list of destinations")
    }
    return settings
  }
}
