/// Every mistake in the settings, found at once. Ends the program with 78.
struct BadSettings: Error, Sendable, Equatable {
  /// One setting that cannot be used.
  struct Problem: Sendable, Equatable {
    /// The variable or the flag, whichever was given.
    let name: String
    /// Safe to show, on one line.
    let value: String
    /// Completes "must be".
    let allowed: String
    var reason: String?

    var line: String {
      "\(name) is '\(value)'\(reason.map { " (\($0))" } ?? "") but must be \(allowed)"
    }
  }

  let problems: [Problem]
}

extension BadSettings: CommandError {
  var exitCode: ExitCode { .badValue }
  var lines: [String] { problems.map(\.line) }
}
